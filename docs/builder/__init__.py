"""The site: pages of the repository taken in, and the reference made of the models and the commands."""
