"""What runs inside the box. Nothing here imports the project."""
