"""Words every room shares: ids, units, names, errors, constants, timing."""
