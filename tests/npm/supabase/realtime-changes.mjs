// Changes of tables and messages from the database, with the official client.
// node realtime-changes.mjs <url> <version> <anon key> <owner's token> <participant's token> <stranger's token> <owner's id> <participant's id> <stranger's id>
//   <owner's conversation> <participant's own conversation> <stranger's conversation>
// Each line that it prints is SQL, as a JSON string, for whoever started it to run as the owner of the database; the answer is a line.
import { createInterface } from 'node:readline'
import { check, clientFor, clients, refused, same, step, subscribed, until } from './realtime.mjs'

const [url, vsn, anon, ownerToken, participantToken, strangerToken, ownerId, participantId, strangerId, call, guestCall, strangerCall] = process.argv.slice(2)

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
let before = Promise.resolve()
const sql = (text) => before = before.then(async () => {
  console.log(JSON.stringify(text))
  const { value } = await answers.next()
  check(value === 'ok', `${text}: ${value}`)
})

const numbers = new Map()
const say = async (conversation, user, text, role = 'user') => {
  const number = (numbers.get(conversation) ?? 0) + 1
  numbers.set(conversation, number)
  await sql(`insert into vox.turns (conversation_id, sequence_number, user_id, role, raw_text) values ('${conversation}', ${number}, '${user}', '${role}', '${text}')`)
  return number
}

const clientOf = (token) => clientFor(url, vsn, anon, token)
const waiting = { config: { postgres_changes_options: { wait: true } } }
// The text of what came, of a row's own column.
const texts = (events) => events.map((event) => event.new.raw_text ?? event.new.title)
// How many times a channel said that it follows changes.
const follows = (channel) => {
  const told = { times: 0, errors: [] }
  channel.on('system', {}, (message) => {
    if (message.extension !== 'postgres_changes') return
    if (message.status === 'ok') told.times++
    else told.errors.push(message.message)
  })
  return told
}

const ada = clientOf(ownerToken)
const bob = clientOf(participantToken)
const eve = clientOf(strangerToken)
const nobody = clientOf(null)
await Promise.all([ada, bob, eve].map((client) => client.realtime.setAuth()))

// Rows of vox.turns: each binding gets what it asked for, each client its own rows, in the order of commits.
{
  step('turns')
  const heard = { inserts: [], updates: [], deletes: [], answers: [], early: [], listed: [], none: [] }
  const all = { schema: 'vox', table: 'turns' }
  const mine = ada.channel('mine', waiting)
    .on('postgres_changes', { ...all, event: 'INSERT', filter: `conversation_id=eq.${call}` }, (event) => heard.inserts.push(event))
    .on('postgres_changes', { ...all, event: 'UPDATE' }, (event) => heard.updates.push(event))
    .on('postgres_changes', { ...all, event: 'DELETE' }, (event) => heard.deletes.push(event))
    .on('postgres_changes', { ...all, event: '*', filter: 'role=neq.user,sequence_number=gt.1' }, (event) => heard.answers.push(event))
    .on('postgres_changes', { ...all, event: 'INSERT', filter: 'sequence_number=lt.3' }, (event) => heard.early.push(event))
    .on('postgres_changes', { ...all, event: '*', filter: 'raw_text=in.("four, or so",three)' }, (event) => heard.listed.push(event))
    .on('postgres_changes', { ...all, event: '*', filter: `conversation_id=eq.${strangerCall}` }, (event) => heard.none.push(event))
  const told = follows(mine)
  await subscribed(mine)
  await until('the word that changes are followed', () => told.times === 1)

  const bobs = [], eves = [], nobodys = []
  await subscribed(bob.channel('anything', waiting).on('postgres_changes', { event: '*', ...all }, (event) => bobs.push(event)))
  await subscribed(eve.channel('mine', waiting)
    .on('postgres_changes', { event: '*', schema: 'vox', table: 'turns' }, (event) => eves.push(event))
    .on('postgres_changes', { event: '*', schema: 'vox' }, (event) => { if (event.table === 'participants') eves.push(event) }))
  await subscribed(nobody.channel('mine', waiting).on('postgres_changes', { event: '*', ...all }, (event) => nobodys.push(event)))

  await say(call, ownerId, 'one')
  await say(call, ownerId, 'two', 'assistant')
  await say(call, ownerId, 'three')
  await say(call, ownerId, 'four, or so', 'assistant')
  // What is gone when it is to be told can be shown to nobody: so first it is.
  await until('the turns', () => heard.inserts.length === 4 && bobs.length === 4)
  await sql(`update vox.turns set raw_text = 'one and a half' where conversation_id = '${call}' and sequence_number = 1`)
  await sql(`delete from vox.turns where conversation_id = '${call}' and sequence_number = 2`)
  await say(call, ownerId, 'five')
  await until('the last turn', () => texts(heard.inserts).includes('five'))
  same(texts(heard.inserts), ['one', 'two', 'three', 'four, or so', 'five'], 'INSERT with eq')
  same(texts(heard.updates), ['one and a half'], 'UPDATE')
  same(heard.deletes.map((event) => event.old), [{ conversation_id: call, id: heard.inserts[1].new.id }], 'DELETE')
  same(texts(heard.answers), ['two', 'four, or so'], 'neq and gt')
  same(texts(heard.early), ['one', 'two'], 'INSERT with lt')
  same(texts(heard.listed), ['three', 'four, or so'], 'in')
  same(heard.none, [], 'what is another\'s')
  await until('the participant\'s', () => texts(bobs).includes('five'))
  same(bobs.map((event) => event.eventType), ['INSERT', 'INSERT', 'INSERT', 'INSERT', 'UPDATE', 'DELETE', 'INSERT'], 'what a participant hears')

  step('form')
  const [insert, update, gone] = [heard.inserts[0], heard.updates[0], heard.deletes[0]]
  same(Object.keys(insert), ['schema', 'table', 'commit_timestamp', 'eventType', 'new', 'old', 'errors'], 'the parts')
  same([insert.schema, insert.table, insert.eventType, insert.old, insert.errors], ['vox', 'turns', 'INSERT', {}, null], 'an insert')
  check(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(insert.commit_timestamp) && Math.abs(Date.parse(insert.commit_timestamp) - Date.now()) < 3_600_000, insert.commit_timestamp)
  same([insert.new.conversation_id, insert.new.sequence_number, insert.new.user_id, insert.new.interrupted], [call, 1, ownerId, false], 'its row')
  same([update.eventType, update.old, update.new.sequence_number], ['UPDATE', { conversation_id: call, id: insert.new.id }, 1], 'an update')
  same([gone.eventType, gone.new], ['DELETE', {}], 'a delete')

  step('revocation')
  // Taken out, the participant hears no more of it: the next it hears is of its own.
  await sql(`delete from vox.participants where conversation_id = '${call}' and user_id = '${participantId}'`)
  const had = bobs.length
  await say(call, ownerId, 'between us')
  await sql(`update vox.turns set raw_text = 'three, between us' where conversation_id = '${call}' and sequence_number = 3`)
  await sql(`delete from vox.turns where conversation_id = '${call}' and sequence_number = 4`)
  await say(guestCall, participantId, 'my own')
  await until('the participant\'s own', () => bobs.length > had)
  same(texts(bobs.slice(had)), ['my own'], 'after it was taken out')
  await sql(`insert into vox.participants (conversation_id, identity, user_id) values ('${call}', 'again', '${participantId}')`)
  await say(call, ownerId, 'back again')
  await until('the next after it came back', () => bobs.length > had + 1)
  same(texts(bobs.slice(had + 1)), ['back again'], 'let in again')

  // Strangers heard nothing of all that: the first they hear is their own.
  await say(strangerCall, strangerId, 'the first of mine')
  await until('the stranger\'s own', () => eves.length > 0)
  same(texts(eves), ['the first of mine'], 'what a stranger hears')
  same(nobodys, [], 'what one without a token hears')
  same(heard.none, [], 'what is a stranger\'s, asked for by name')

  step('reconnect')
  // A socket that breaks comes back with its channels; so does the server's connection to the log, and nothing is missed.
  const inserted = heard.inserts.length
  ada.sockets.at(-1).close(4000)
  await until('the end of the socket', () => !ada.realtime.isConnected() || ada.sockets.length > 1)
  await until('a new subscription', () => told.times === 2)
  await say(call, ownerId, 'after the break')
  await until('a change after it', () => heard.inserts.length > inserted)
  same(texts(heard.inserts.slice(inserted)), ['after the break'], 'after a reconnect')
  await sql('select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active')
  await say(call, ownerId, 'while nobody reads')
  await until('a change from before', () => heard.inserts.length > inserted + 1)
  same(texts(heard.inserts.slice(inserted)), ['after the break', 'while nobody reads'], 'after the log was lost')

  step('tokens')
  // Whose token a channel has decides what it sees from then on.
  const seen = []
  const turncoat = clientOf(null)
  await turncoat.realtime.setAuth(strangerToken)
  const changing = turncoat.channel('changing', waiting).on('postgres_changes', { event: 'INSERT', ...all }, (event) => seen.push(event.new.raw_text))
  const changed = follows(changing)
  await subscribed(changing)
  await until('the first token', () => changed.times === 1)
  await say(call, ownerId, 'not yet')
  await say(strangerCall, strangerId, 'theirs')
  await until('a row of the first', () => seen.length > 0)
  same(seen, ['theirs'], 'with the first token')
  await turncoat.realtime.setAuth(ownerToken)
  await until('the second token', () => changed.times === 2)
  await say(strangerCall, strangerId, 'not any more')
  await say(call, ownerId, 'now')
  await until('a row of the second', () => seen.includes('now'))
  same(seen, ['theirs', 'now'], 'with the second token')
  await turncoat.realtime.setAuth(strangerToken)
  await until('the first token again', () => changed.times === 3)
  await say(call, ownerId, 'again not')
  await say(strangerCall, strangerId, 'theirs again')
  await until('a row of the first again', () => seen.includes('theirs again'))
  same(seen, ['theirs', 'now', 'theirs again'], 'with the first token again')
  same([told.errors, changed.errors], [[], []], 'no error was told')
  await Promise.all([ada, bob, eve, nobody, turncoat].map((client) => client.removeAllChannels()))
}

// Tables of one's own, published while the log is followed already.
{
  step('notes')
  await sql(`
    create table public.notes (
      id bigint generated by default as identity primary key, owner_id uuid not null default '${ownerId}', title text, stars int, price numeric(10, 2),
      done boolean, due_at timestamptz, tags text[], data jsonb, secret text);
    alter table public.notes enable row level security;
    create policy own on public.notes for select to authenticated using (owner_id = (select auth.uid()));
    grant select (id, owner_id, title, stars, price, done, due_at, tags, data) on public.notes to authenticated;
    alter table public.notes replica identity full;
    create table public.board (id int primary key, title text);
    grant select on public.board to anon, authenticated;
    alter publication voxbase_feed add table public.notes, public.board`)
  const notes = { schema: 'public', table: 'notes' }
  const heard = [], selected = [], both = [], board = []
  const channel = ada.channel('notes', waiting)
    .on('postgres_changes', { event: '*', ...notes }, (event) => heard.push(event))
  await subscribed(channel)
  await subscribed(ada.channel('some', waiting)
    .on('postgres_changes', { event: '*', ...notes, select: ['title'], filter: 'stars=gte.3,price=lte.9.50,done=is.false,title=not.ilike.draft%,due_at=gt.2026-01-01' }, (event) => selected.push(event)))
  // Two of one channel that ask for other columns get their own.
  await subscribed(ada.channel('both', waiting)
    .on('postgres_changes', { event: 'INSERT', ...notes, select: ['stars'] }, (event) => both.push(Object.keys(event.new)))
    .on('postgres_changes', { event: 'INSERT', ...notes, select: ['title'], filter: 'stars=eq.5' }, (event) => both.push(Object.keys(event.new))))
  const strangers = []
  await subscribed(eve.channel('notes', waiting).on('postgres_changes', { event: '*', ...notes }, (event) => strangers.push(event)))
  await subscribed(nobody.channel('board', waiting).on('postgres_changes', { event: '*', schema: 'public', table: 'board' }, (event) => board.push(event)))

  await sql(`insert into public.notes (title, stars, price, done, due_at, tags, data, secret)
    values ('grüß dich 🎈', 5, 9.50, false, '2026-02-03 04:05:06.5+00', '{a,"b c"}', '{"a":[1,null]}', 'hush')`)
  await sql(`insert into public.notes (title, stars, price, done, due_at) values
    ('Draft of it', 5, 9.50, false, '2026-02-03'), ('low', 2, 9, false, '2026-02-03'), ('dear', 4, 9.51, false, '2026-02-03'), ('done', 4, 9, true, '2026-02-03'),
    ('old', 4, 9, false, '2025-12-31'), ('unknown', null, 9, false, '2026-02-03'), ('last', 3, 1, false, '2026-01-02')`)
  await until('the notes', () => heard.length === 8 && selected.length === 2 && both.length === 10)
  await sql('update public.notes set id = 100, stars = 1 where id = 1')
  await until('the update', () => heard.length === 9)
  await sql('delete from public.notes where id = 100')
  await sql(`insert into public.notes (owner_id, title) values ('${strangerId}', 'a stranger''s')`)
  await sql(`insert into public.board values (1, 'for all'); update public.board set title = 'for everyone'; delete from public.board`)
  await until('the delete', () => heard.some((event) => event.eventType === 'DELETE'))
  same(heard[0].new, {
    id: 1, owner_id: ownerId, title: 'grüß dich 🎈', stars: 5, price: 9.5, done: false, due_at: '2026-02-03T04:05:06.5+00:00', tags: ['a', 'b c'], data: { a: [1, null] },
  }, 'a row, without the column that may not be selected')
  same(heard.map((event) => event.eventType), [...Array(8).fill('INSERT'), 'UPDATE', 'DELETE'], 'the order')
  same([heard[8].old, heard[8].new.id, heard[9].old], [{ id: 1 }, 100, { id: 100 }], 'the keys')
  await until('the filtered', () => selected.length > 1)
  same(selected.map((event) => event.new), [{ id: 1, title: 'grüß dich 🎈' }, { id: 8, title: 'last' }], 'filters and columns')
  await until('the columns of both', () => both.length >= 10)
  same(both.slice(0, 4).sort(), [['id', 'stars'], ['id', 'stars'], ['id', 'title'], ['id', 'title']], 'columns of each binding')
  const columns = ada.frames.filter((frame) => typeof frame === 'string' && frame.includes('postgres_changes') && frame.includes('hush'))
  same(columns, [], 'the secret went nowhere')
  const sent = ada.frames.filter((frame) => typeof frame === 'string').map((frame) => JSON.parse(frame)).map((frame) => Array.isArray(frame) ? frame[4] : frame.payload)
    .find((payload) => payload.data?.table === 'notes' && payload.data.record.tags)
  same(sent.data.columns, [
    ['id', 'int8'], ['owner_id', 'uuid'], ['title', 'text'], ['stars', 'int4'], ['price', 'numeric'], ['done', 'bool'], ['due_at', 'timestamptz'], ['tags', '_text'], ['data', 'jsonb'],
  ].map(([name, type]) => ({ name, type })), 'the columns')
  check(sent.ids.length === 1 && Number.isInteger(sent.ids[0]) && sent.ids[0] > 0, 'the ids')
  await until('the stranger\'s note', () => strangers.length > 0)
  same(texts(strangers), ['a stranger\'s'], 'what a stranger sees')
  await until('the board', () => board.length === 3)
  same(board.map((event) => [event.eventType, event.new, event.old]), [
    ['INSERT', { id: 1, title: 'for all' }, {}], ['UPDATE', { id: 1, title: 'for everyone' }, { id: 1 }], ['DELETE', {}, { id: 1 }],
  ], 'a table for everyone')
  await Promise.all([ada, eve, nobody].map((client) => client.removeAllChannels()))
}

// What cannot be followed is told: as a message, or in the answer of a join that waits.
{
  step('faults')
  for (const [wrong, reason] of [
    [{ event: '*', schema: 'public', table: 'nowhere' }, 'The feed does not publish public.nowhere'],
    [{ event: '*', schema: 'public', table: 'notes', filter: 'nothing=eq.1' }, 'public.notes has no column \'nothing\''],
    [{ event: '*', schema: 'public', table: 'notes', filter: 'stars=eq.many' }, '\'many\' is no value of stars'],
    [{ event: '*', schema: 'public', table: 'notes', filter: 'stars=near.5' }, 'The filter \'near.5\' must be'],
    [{ event: '*', schema: 'public', table: 'notes', select: ['nothing'] }, 'public.notes has no column \'nothing\''],
    [{ event: '*', schema: 'public', table: 'notes', filter: 'secret=eq.hush' }, 'public.notes has no column \'secret\''],
  ]) {
    const message = await refused(ada.channel('wrong', waiting).on('postgres_changes', wrong, () => {}))
    check(message.startsWith('RealtimeDisabledForConfiguration: Unable to subscribe to changes with given parameters.') && message.includes(reason), `${reason}: ${message}`)
    await ada.removeAllChannels()
    const channel = ada.channel('wrong').on('postgres_changes', wrong, () => {})
    const told = follows(channel)
    await subscribed(channel)
    await until('the fault', () => told.errors.length > 0)
    check(told.errors[0].startsWith('Unable to subscribe to changes with given parameters.') && told.errors[0].includes(reason), `${reason}: ${told.errors[0]}`)
    await ada.removeAllChannels()
  }
}

// Messages from the database, to public and private channels.
{
  step('messages')
  const topic = `conversation:${call}`
  const open = [], closed = [], namesake = []
  let isReady = false
  await subscribed(nobody.channel('room', { config: { broadcast: { replication_ready: true } } })
    .on('system', {}, (message) => { isReady ||= message.status === 'ok' && message.message === 'Replication connection established' })
    .on('broadcast', { event: '*' }, (message) => open.push(message)))
  await subscribed(nobody.channel(topic).on('broadcast', { event: '*' }, (message) => namesake.push(message)))
  await subscribed(bob.channel(topic, { config: { private: true } }).on('broadcast', { event: '*' }, (message) => closed.push(message)))
  await until('messages', () => isReady)
  await sql(`select realtime.send('{"text":"hello"}', 'said', 'room', false)`)
  await until('a message', () => open.length === 1)
  same([open[0].type, open[0].event, open[0].payload.text, typeof open[0].payload.id], ['broadcast', 'said', 'hello', 'string'], 'a message')
  // As a user, whom the policies let: the owner of the conversation; not another.
  const as = (user, text) => sql(`
    begin; select set_config('request.jwt.claims', '{"role":"authenticated","sub":"${user}"}', true); set local role authenticated;
    select realtime.send('{"text":"${text}"}', 'said', '${topic}'); commit`)
  await as(strangerId, 'not from me')
  await as(ownerId, 'to us')
  await until('a private message', () => closed.length > 0)
  same(closed.map((message) => message.payload.text), ['to us'], 'a private message')
  await sql(`
    create function public.told() returns trigger language plpgsql as
    $$ begin perform realtime.broadcast_changes('${topic}', tg_op, tg_op, tg_table_name, tg_table_schema, new, old); return null; end $$;
    create trigger told after insert or update or delete on public.notes for each row execute function public.told()`)
  await sql(`insert into public.notes (id, title) values (500, 'told'); update public.notes set title = 'told again' where id = 500; delete from public.notes where id = 500`)
  await until('the changes', () => closed.length === 4)
  same(closed.slice(1).map(({ event, payload }) => [event, payload.operation, payload.schema, payload.table, payload.record?.title ?? null, payload.old_record?.title ?? null]), [
    ['INSERT', 'INSERT', 'public', 'notes', 'told', null], ['UPDATE', 'UPDATE', 'public', 'notes', 'told again', 'told'], ['DELETE', 'DELETE', 'public', 'notes', null, 'told again'],
  ], 'changes by a trigger')
  if (vsn === '2.0.0') {
    await sql(`select realtime.send_binary('\\xcafe00ff', 'bytes', 'room', false)`)
    await until('bytes', () => open.length === 2)
    same([...new Uint8Array(open[1].payload)], [202, 254, 0, 255], 'the bytes')
  }
  // What is rolled back is told to nobody; the next one is.
  await sql(`begin; select realtime.send('{"text":"never"}', 'said', 'room', false); rollback`)
  await sql(`select realtime.send('{"text":"after"}', 'said', 'room', false)`)
  await until('the next', () => open.at(-1).payload.text === 'after')
  check(!open.some((message) => message.payload.text === 'never'), 'nothing of a transaction that was rolled back')
  same(namesake, [], 'a public channel of the same name')
  await sql('drop trigger told on public.notes')
  await Promise.all([bob, nobody].map((client) => client.removeAllChannels()))
}

// A live page: two clients send and are present while rows come.
{
  step('a live page')
  const rows = [], adas = [], bobs = []
  const many = 100
  const page = ada.channel('page', { config: { ...waiting.config, presence: { key: 'ada' } } })
    .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'notes' }, (event) => rows.push(event.new.title))
    .on('broadcast', { event: 'said' }, ({ payload }) => adas.push(payload.n))
    .on('presence', { event: 'sync' }, () => {})
  const theirs = bob.channel('page', { config: { presence: { key: 'bob' } } })
    .on('broadcast', { event: 'said' }, ({ payload }) => bobs.push(payload.n))
    .on('presence', { event: 'sync' }, () => {})
  await Promise.all([subscribed(page), subscribed(theirs)])
  await Promise.all([
    (async () => { for (let i = 0; i < many; i++) await sql(`insert into public.notes (title) values ('row ${i}')`) })(),
    (async () => { for (let i = 0; i < many; i++) await page.send({ type: 'broadcast', event: 'said', payload: { n: i } }) })(),
    (async () => { for (let i = 0; i < many; i++) await theirs.send({ type: 'broadcast', event: 'said', payload: { n: i } }) })(),
    page.track({ at: 'the page' }), theirs.track({ at: 'the page too' }),
  ])
  const inOrder = [...Array(many).keys()]
  await until('all rows', () => rows.length >= many)
  await until('all messages', () => adas.length >= many && bobs.length >= many)
  same(rows, inOrder.map((i) => `row ${i}`), 'rows')
  same([adas, bobs], [inOrder, inOrder], 'messages')
  for (const channel of [page, theirs])
    await until('both', () => channel.presenceState().ada?.[0].at === 'the page' && channel.presenceState().bob?.[0].at === 'the page too')
}

step('removal')
await Promise.all(clients.map((client) => client.removeAllChannels()))
process.exit(0)
