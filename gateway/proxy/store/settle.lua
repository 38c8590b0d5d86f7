-- Close one operation: what it held is given back, what it cost is posted. Follows the commit of
-- its completion in PostgreSQL; a second call changes nothing.
--
-- KEYS  1 this operation   2 leases   3.. token limits, then concurrency limits, then budgets
-- ARGV  1 operation id   2 number of token limits   3 of concurrency limits   4 of budgets
--       per token limit: amount, period in ms, tick in ms, tokens to add (negative: give back)
--       per budget: group, micros that it cost
local op = ARGV[1]
local tokens, leases, budgets = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local function text(n) return string.format('%.0f', n) end

for i = 1, leases do redis.call('ZREM', KEYS[2 + tokens + i], op) end
redis.call('ZREM', KEYS[2], op)
local operation = redis.call('HMGET', KEYS[1], 'state', 'amounts', 'epoch')
if operation[1] ~= 'open' then return {op, 'GONE'} end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local at = 4
for i = 1, tokens do
  local key = KEYS[2 + i]
  local amount, period, tick = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local unit, delta = period / tick, tonumber(ARGV[at + 4])
  at = at + 4
  local state = redis.call('HMGET', key, 'level', 'at')
  if state[1] or delta > 0 then
    local level, since = tonumber(state[1] or 0), tonumber(state[2] or now)
    local ticks = math.max(0, math.floor((now - since) / tick))
    level = math.max(0, math.max(0, level - ticks * amount) + delta * unit)
    redis.call('HSET', key, 'level', text(level), 'at', text(since + ticks * tick))
    redis.call('PEXPIRE', key, text(math.ceil(level / amount) * tick + tick + 1000))
  end
end
local held = {}
for amount in string.gmatch(operation[2], '[^,]+') do held[#held + 1] = amount end
for i = 1, budgets do
  local key, group = KEYS[2 + tokens + leases + i], ARGV[at + 1]
  -- A counter of another epoch was written from PostgreSQL and does not hold this operation's
  -- amount: a rebuild gives each operation that it restores the new epoch.
  if redis.call('HGET', key, 'epoch') == operation[3] then
    if held[i] ~= '0' then redis.call('HINCRBY', key, 'h:' .. group, '-' .. held[i]) end
    redis.call('HINCRBY', key, 'p:' .. group, ARGV[at + 2])
  end
  at = at + 2
end
redis.call('HSET', KEYS[1], 'state', 'settled')
redis.call('PEXPIRE', KEYS[1], 60000)
return {op, 'OK'}
