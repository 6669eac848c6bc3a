"""Images of identities: reading them, finding out how a folder lays them out, and a drawn set of its own."""
