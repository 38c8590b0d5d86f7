-- Write a part of a tenant's counters from PostgreSQL, or (last) put the new epoch in force.
--
-- KEYS  1 main hash   2 leases   3.. counter hashes, then operations
-- ARGV  1 epoch   2 run id   3 "part" or "last"   4 number of hashes   5 number of operations
--       per hash: limit, revision, window end in ms, number of groups, then group, posted, held
--       per operation: id, seq, lease end in ms, groups, amounts, names of its hashes
--       with "last": names of all hashes
-- Applies only above the epoch that is in force: a rebuild that was overtaken changes nothing.
local epoch, run, last = ARGV[1], ARGV[2], ARGV[3] == 'last'
local hashes, operations = tonumber(ARGV[4]), tonumber(ARGV[5])
local function text(n) return string.format('%.0f', n) end

local stored = redis.call('HMGET', KEYS[1], 'epoch', 'now')
if stored[1] and tonumber(stored[1]) >= tonumber(epoch) then return {epoch, 'STALE', stored[1]} end
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
if stored[2] and tonumber(stored[2]) > now then now = tonumber(stored[2]) end

local at = 5
for i = 1, hashes do
  local key = KEYS[2 + i]
  redis.call('DEL', key)
  redis.call('HSET', key, 'epoch', epoch, 'limit', ARGV[at + 1], 'revision', ARGV[at + 2])
  redis.call('PEXPIREAT', key, text(math.min(tonumber(ARGV[at + 3]), now + 34560000000) + 86400000))
  local groups = tonumber(ARGV[at + 4])
  at = at + 4
  for _ = 1, groups do
    redis.call('HSET', key, 'p:' .. ARGV[at + 1], ARGV[at + 2], 'h:' .. ARGV[at + 1], ARGV[at + 3])
    at = at + 3
  end
end
for i = 1, operations do
  local key = KEYS[2 + hashes + i]
  redis.call('DEL', key)
  redis.call('HSET', key, 'state', 'open', 'epoch', epoch, 'seq', ARGV[at + 2], 'groups', ARGV[at + 4],
    'amounts', ARGV[at + 5], 'names', ARGV[at + 6], 'levels', '')
  redis.call('PEXPIREAT', key, text(math.max(tonumber(ARGV[at + 3]), now) + 86400000))
  redis.call('ZADD', KEYS[2], ARGV[at + 3], ARGV[at + 1])
  at = at + 6
end
if last then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', run, 'since', text(now), 'now', text(now), 'seq', '0')
  for i = at + 1, #ARGV do redis.call('HSET', KEYS[1], 'w:' .. ARGV[i], '1') end
end
return {epoch, 'OK'}
