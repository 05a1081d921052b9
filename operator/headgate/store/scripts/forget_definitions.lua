-- KEYS[1]: where a workspace's definitions stand. ARGV: the channel, and the workspace, which is told there.
redis.call('DEL', KEYS[1])
return redis.call('PUBLISH', ARGV[1], ARGV[2])
