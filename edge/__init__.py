"""What a device needs that lives alone: the model server, and the modes between joined and alone."""
