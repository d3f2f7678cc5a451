"""What reads foreign matter (documents, grammars) at arm's length: in a child process, bounded in time and memory."""
