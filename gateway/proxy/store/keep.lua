-- Keep one sealed answer within what a tenant may keep; those that end soonest make room.
--
-- KEYS  1 the answer   2 ends (sorted set: name -> when it ends, ms)   3 sizes (hash: name -> bytes)
-- ARGV  1 operation   2 name   3 the sealed answer   4 how long, ms   5 most bytes   6 prefix of keys
-- Each answer counts a little more than its bytes, for what it takes beside them.
local name, data, keep_ms, most = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local sum = tonumber(redis.call('HGET', KEYS[3], 'sum') or '0')

local function forget(gone)
  sum = sum - tonumber(redis.call('HGET', KEYS[3], gone) or '0')
  redis.call('HDEL', KEYS[3], gone)
  redis.call('ZREM', KEYS[2], gone)
end

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do
  forget(gone)
end
forget(name)
local size = #data + 300
if size > most then
  redis.call('UNLINK', KEYS[1])
  if sum > 0 then redis.call('HSET', KEYS[3], 'sum', string.format('%.0f', sum)) end
  return {ARGV[1], 0}
end
while sum + size > most do
  local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if not first then break end
  redis.call('UNLINK', ARGV[6] .. first)
  forget(first)
end
redis.call('SET', KEYS[1], data, 'PX', keep_ms)
redis.call('ZADD', KEYS[2], now + keep_ms, name)
redis.call('HSET', KEYS[3], name, size, 'sum', string.format('%.0f', sum + size))
for place = 2, 3 do
  if redis.call('PTTL', KEYS[place]) < keep_ms then
    redis.call('PEXPIRE', KEYS[place], keep_ms)
  end
end
return {ARGV[1], 1}
