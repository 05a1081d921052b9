-- KEYS[1]: the workspace's calls. ARGV: whether to wait for a loan (1 or 0), then pairs: subject, calls wanted.
-- Returns the server, when these calls were begun in it, how many others bring loans, and for each subject that has something to tell: subject, window,
-- generation, calls taken, calls left, milliseconds to the end, calls beyond, limit.
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
local answer = {server, birth, 0}
local lacking = false
for i = 2, #ARGV, 2 do
    local subject, wanted = ARGV[i], tonumber(ARGV[i + 1])
    local field = 'calls:' .. subject
    local began, generation, left, ends, beyond, limit =
        string.match(redis.call('HGET', KEYS[1], field) or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    local taken = 0
    if began and now < tonumber(ends) then
        left = tonumber(left)
        taken = math.min(wanted, left)
        left = left - taken
        if taken > 0 then
            redis.call('HSET', KEYS[1], field,
                began .. ' ' .. generation .. ' ' .. left .. ' ' .. ends .. ' ' .. beyond .. ' ' .. limit)
        end
        answer[#answer + 1] = {subject, began, generation, taken, left, tonumber(ends) - now, beyond, limit}
    elseif began then
        redis.call('HDEL', KEYS[1], field)
    end
    lacking = lacking or taken < wanted
end
-- Whoever dies with a loan on the way is waited for no longer than a second.
local coming, till = string.match(redis.call('HGET', KEYS[1], 'coming') or '', '^(%d+) (%d+)$')
if not coming or now >= tonumber(till) then
    coming = 0
end
answer[3] = tonumber(coming)
if lacking and ARGV[1] == '1' then
    redis.call('HSET', KEYS[1], 'coming', (coming + 1) .. ' ' .. string.format('%.0f', now + 1000))
end
return answer
