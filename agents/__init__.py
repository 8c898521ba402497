"""What runs at a site: it holds the desired state that the broker told it, and makes engines bring it about."""
