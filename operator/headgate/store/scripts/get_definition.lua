-- KEYS: where a workspace's definitions stand, and where all do. ARGV: which one, and a word that was never said before.
-- Returns the state, and the definition or false.
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
    .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local state = redis.call('HGET', KEYS[1], 'state')
if not state or redis.call('HGET', KEYS[1], 'server') ~= server then
    -- What another server kept may be older than what was changed since.
    state = ARGV[2]
    redis.call('HSET', KEYS[1], 'server', server, 'state', state)
end
redis.call('EXPIRE', KEYS[1], 3600)
state = state .. ':' .. (redis.call('GET', KEYS[2]) or '')
return {state, redis.call('GET', KEYS[1] .. ':' .. state .. ':' .. ARGV[1])}
