"""What is in force, and what it says of sites.

law.py          policies, prices and teams as one frozen value that a decision is made under
compiled.py     the policies for one fleet's declarations; `legal.py`, their answers joined as far as somebody asks
policy_test.py  a policy's own examples, with nothing of capacity or price
"""
