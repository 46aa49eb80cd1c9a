"""The subcommands of the console command: each reads arguments, calls a flow or a function, shows the result."""
