"""What runs when: the Prefect flows and the console command."""
