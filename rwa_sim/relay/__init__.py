"""Takes signed reports and bank money to the chain, and does there what is due, until it is final."""
