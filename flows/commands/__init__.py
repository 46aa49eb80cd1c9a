"""What the console command does around a flow, a module for each subcommand."""
