-- KEYS[1]: where all definitions stand. ARGV: the channel, what is told there, and a word that was never said before.
redis.call('SET', KEYS[1], ARGV[3])
return redis.call('PUBLISH', ARGV[1], ARGV[2])
