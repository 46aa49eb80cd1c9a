"""What subcommands do that is not a flow, and what the console shows around one."""
