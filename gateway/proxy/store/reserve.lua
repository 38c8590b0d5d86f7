-- Reserve for one attempt, all or nothing: every rate limit, then every budget.
--
-- KEYS  1 main hash of the tenant   2 this operation   3 leases   4.. limits, then budgets
-- ARGV  1 operation id   2 run id of this Redis, as the worker's connection read it   3 lease in ms
--       4 number of limits   5 number of budgets
--       per limit:  kind (r requests, t tokens, c concurrency), amount, period in ms, capacity
--                   (burst), tick in ms, cost
--       per budget: window start and end in ms, limit, revision of that limit, amount, group,
--                   1 if hard, name of the hash in the main hash
-- Reply: operation id, verdict, and
--   OK       epoch, sequence number, groups used (one per budget), state of each limit after
--   DENY     index of the dimension (limits first, from 1), headroom (micros, or units of a limit),
--            milliseconds until it may pass (0: unknown), group used
--   WRONG_WINDOW   the time of this Redis in ms
--   REBUILD        the epoch in force (0: none): counters must be written anew from PostgreSQL
--
-- Limits are leaky buckets in integers: the level is in units of token x period, leaks `amount`
-- units a millisecond, and one token weighs `period` units; with a tick above 1 ms both are counted
-- per tick. Numbers become text by %.0f: tostring() would turn large ones into 1.2e+15.
local op, run, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local limits, budgets = tonumber(ARGV[4]), tonumber(ARGV[5])
local MAX_GROUPS = 10000
local function text(n) return string.format('%.0f', n) end

local done = redis.call('HMGET', KEYS[2], 'epoch', 'seq', 'groups', 'levels')
if done[2] then return {op, 'OK', done[1], done[2], done[3], done[4]} end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local main = redis.call('HMGET', KEYS[1], 'now', 'epoch', 'run', 'since')
if main[1] and tonumber(main[1]) > now then now = tonumber(main[1]) end
if budgets > 0 and (not main[2] or main[3] ~= run) then return {op, 'REBUILD', '0'} end

local at, levels, writes = 5, {}, {}
for i = 1, limits do
  local key, kind = KEYS[3 + i], ARGV[at + 1]
  local amount, period, capacity = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local tick, cost = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  at = at + 6
  if kind == 'c' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now))
    local running = redis.call('ZCARD', key)
    if running >= amount then
      local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
      return {op, 'DENY', i, '0', text(math.min(1000, math.max(1, tonumber(first[2] or now) - now))), ''}
    end
    levels[i] = text(running + 1)
    writes[i] = {kind}
  else
    local unit = period / tick
    local state = redis.call('HMGET', key, 'level', 'at')
    local level, since = tonumber(state[1] or 0), tonumber(state[2] or now)
    local ticks = math.max(0, math.floor((now - since) / tick))
    level = math.max(0, level - ticks * amount)
    if state[2] then since = since + ticks * tick end
    if level + cost * unit > capacity * unit then
      local wait = math.ceil((level + cost * unit - capacity * unit) / amount) * tick
      return {op, 'DENY', i, text(math.max(0, math.floor((capacity * unit - level) / unit))), text(wait), ''}
    end
    level = level + cost * unit
    levels[i] = text(level)
    writes[i] = {kind, text(level), text(since), text(math.ceil(level / amount) * tick + tick + 1000)}
  end
end

local groups, amounts, names, fresh = {}, {}, {}, {}
for i = 1, budgets do
  local key = KEYS[3 + limits + i]
  local first, last, limit = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local revision, amount, group = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), ARGV[at + 6]
  local hard, name = ARGV[at + 7] == '1', ARGV[at + 8]
  at = at + 8
  if now < first or now >= last then return {op, 'WRONG_WINDOW', text(now)} end
  local counter = redis.call('HMGET', key, 'epoch', 'revision', 'limit', 'p:' .. group, 'h:' .. group)
  if counter[1] ~= main[2] then
    if redis.call('HEXISTS', KEYS[1], 'w:' .. name) == 1 or first < tonumber(main[4]) then
      return {op, 'REBUILD', main[2]}
    end
    fresh[i] = true
    counter = {main[2], false, false, false, false}
  elseif not counter[4] and group ~= '' and redis.call('HLEN', key) > 2 * MAX_GROUPS then
    group = '~other'
    local other = redis.call('HMGET', key, 'p:~other', 'h:~other')
    counter[4], counter[5] = other[1], other[2]
  end
  if counter[2] and tonumber(counter[2]) > revision then limit = tonumber(counter[3]) end
  local used = tonumber(counter[4] or 0) + tonumber(counter[5] or 0)
  if hard and used + amount > limit then
    return {op, 'DENY', limits + i, text(math.max(0, limit - used)), text(last - now), group}
  end
  groups[i], amounts[i], names[i] = group, text(amount), name
  levels[limits + i] = text(math.max(0, limit - used - amount))
end

-- Everything passes: from here on only writes.
at = 5 + 6 * limits
for i = 1, limits do
  local key, write = KEYS[3 + i], writes[i]
  if write[1] == 'c' then
    redis.call('ZADD', key, text(now + lease_ms), op)
    redis.call('PEXPIRE', key, text(lease_ms + 60000))
  else
    redis.call('HSET', key, 'level', write[2], 'at', write[3])
    redis.call('PEXPIRE', key, write[4])
  end
end
local epoch, seq = main[2] or '0', '0'
for i = 1, budgets do
  local key, last = KEYS[3 + limits + i], tonumber(ARGV[at + 2])
  local revision, name = ARGV[at + 4], ARGV[at + 8]
  if fresh[i] then
    redis.call('DEL', key)
    redis.call('HSET', key, 'epoch', epoch, 'revision', revision, 'limit', ARGV[at + 3])
    redis.call('HSET', KEYS[1], 'w:' .. name, '1')
    redis.call('PEXPIREAT', key, text(math.min(last, now + 34560000000) + 86400000))
  elseif tonumber(redis.call('HGET', key, 'revision') or 0) < tonumber(revision) then
    redis.call('HSET', key, 'revision', revision, 'limit', ARGV[at + 3])
  end
  redis.call('HINCRBY', key, 'p:' .. groups[i], 0)
  redis.call('HINCRBY', key, 'h:' .. groups[i], amounts[i])
  at = at + 8
end
if budgets > 0 then
  seq = text(redis.call('HINCRBY', KEYS[1], 'seq', 1))
  redis.call('HSET', KEYS[1], 'now', text(now))
  redis.call('ZADD', KEYS[3], text(now + lease_ms), op)
end
local used_groups, used_levels = table.concat(groups, '\n'), table.concat(levels, ',')
redis.call('HSET', KEYS[2], 'state', 'open', 'epoch', epoch, 'seq', seq, 'groups', used_groups,
  'amounts', table.concat(amounts, ','), 'names', table.concat(names, '\n'), 'levels', used_levels)
redis.call('PEXPIRE', KEYS[2], text(lease_ms + 86400000))
return {op, 'OK', epoch, seq, used_groups, used_levels}
