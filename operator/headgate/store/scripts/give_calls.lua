-- KEYS[1]: the workspace's calls. ARGV: whether others wait for this (1 or 0), then in sevens: subject, window, generation, calls, milliseconds to the end (-1 for
-- calls that go back), calls beyond, limit. Returns the server, and when these calls
-- were begun in it.
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
    .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local birth = redis.call('HGET', KEYS[1], 'birth')
if not birth or redis.call('HGET', KEYS[1], 'server') ~= server then
    -- Nothing that another server was given counts, and whoever spent of it notices by the birth.
    birth = time[1] .. '.' .. time[2]
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'server', server, 'birth', birth)
end
redis.call('PEXPIRE', KEYS[1], 7200000)
for i = 2, #ARGV, 7 do
    local field = 'calls:' .. ARGV[i]
    local window, generation, calls, lasts = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]),
        tonumber(ARGV[i + 4])
    local began, of, left, ends, beyond, limit =
        string.match(redis.call('HGET', KEYS[1], field) or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    local same = began and tonumber(began) == window and tonumber(of) == generation
    local newer = not began or tonumber(began) < window or tonumber(began) == window and tonumber(of) < generation
    if lasts < 0 and same then
        redis.call('HSET', KEYS[1], field,
            began .. ' ' .. of .. ' ' .. (left + calls) .. ' ' .. ends .. ' ' .. beyond .. ' ' .. limit)
    elseif lasts >= 0 and (same or newer) then
        if newer then
            left, ends = 0, string.format('%.0f', now + lasts)
        end
        redis.call('HSET', KEYS[1], field, ARGV[i + 1] .. ' ' .. ARGV[i + 2] .. ' ' .. (left + calls) .. ' ' .. ends
            .. ' ' .. ARGV[i + 5] .. ' ' .. ARGV[i + 6])
    end
end
local coming, till = string.match(redis.call('HGET', KEYS[1], 'coming') or '', '^(%d+) (%d+)$')
if ARGV[1] == '1' and coming and tonumber(coming) > 1 then
    redis.call('HSET', KEYS[1], 'coming', (coming - 1) .. ' ' .. till)
elseif ARGV[1] == '1' and coming then
    redis.call('HDEL', KEYS[1], 'coming')
end
return {server, birth}
