"""Arrays, errors, state, registry, threads, ranking: what every other room stands on."""
