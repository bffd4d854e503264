// Channels with the official client: broadcast, presence, a private channel allowed and refused, a token renewed and one that ends.
// node realtime-channels.mjs <url> <version> <anon key> <owner's token> <another token of the owner> <participant's token> <stranger's token>
//   <the secret of the server> <the owner's id> <conversation>
import { createHmac } from 'node:crypto'
import { check, clientFor, clients, refused, same, step, subscribed, until } from './realtime.mjs'

const [url, vsn, anon, owner, ownerAgain, participant, stranger, secret, ownerId, conversation] = process.argv.slice(2)

// A token that ends in so many seconds, counted from now.
const tokenFor = (seconds) => {
  const encoded = [{ alg: 'HS256', typ: 'JWT' }, { role: 'authenticated', sub: ownerId, exp: Math.floor(Date.now() / 1000) + seconds }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${encoded}.${createHmac('sha256', secret).update(encoded).digest('base64url')}`
}

const clientOf = (token) => clientFor(url, vsn, anon, token)
const ada = clientOf(owner)
const bob = clientOf(participant)
const eve = clientOf(stranger)
const nobody = clientOf(null)
// A client asks for its token by and by: a join must not come before it.
await Promise.all([ada, bob, eve].map((client) => client.realtime.setAuth()))

// Broadcast: to the others, to oneself where asked, answered where asked, as JSON and, in protocol 2.0.0, as bytes.
{
  step('broadcast')
  const heard = []
  const room = await subscribed(ada.channel('room', { config: { broadcast: { self: true, ack: true } } }))
  await subscribed(nobody.channel('room').on('broadcast', { event: '*' }, (message) => heard.push(message)))
  same(await room.send({ type: 'broadcast', event: 'said', payload: { text: 'grüß dich 🎈', n: 1.5 } }), 'ok', 'an answered send')
  await until('a broadcast', () => heard.length === 1)
  same([heard[0].event, heard[0].type, heard[0].payload], ['said', 'broadcast', { text: 'grüß dich 🎈', n: 1.5 }], 'what was heard')
  if (vsn === '2.0.0') {
    await room.send({ type: 'broadcast', event: 'bytes', payload: new Uint8Array([202, 254, 0, 255]).buffer })
    await until('bytes', () => heard.length === 2)
    same([...new Uint8Array(heard[1].payload)], [202, 254, 0, 255], 'the bytes')
  }
  const before = heard.length
  await room.httpSend('posted', { over: 'http' })
  await until('one over HTTP', () => heard.length === before + 1)
  same(heard[before].payload, { over: 'http' }, 'what was posted')
  // A channel that is not joined sends over HTTP by itself.
  same(await bob.channel('room').send({ type: 'broadcast', event: 'early', payload: { a: 1 } }), 'ok', 'a send before the join')
  await until('the early one', () => heard.some((message) => message.event === 'early'))
}

// Presence between two clients.
{
  step('presence')
  const joins = [], leaves = []
  let syncs = 0
  const mine = ada.channel('lobby', { config: { presence: { key: 'ada' } } })
  mine.on('presence', { event: 'sync' }, () => { syncs++ })
  mine.on('presence', { event: 'join' }, (event) => joins.push(event))
  mine.on('presence', { event: 'leave' }, (event) => leaves.push(event))
  await subscribed(mine)
  await until('the first state', () => syncs > 0)
  same(await mine.track({ name: 'Ada' }), 'ok', 'track')
  await until('oneself', () => joins.some((event) => event.key === 'ada'))
  const theirs = bob.channel('lobby', { config: { presence: { key: 'bob' } } }).on('presence', { event: 'sync' }, () => {})
  await subscribed(theirs)
  await theirs.track({ name: 'Bob' })
  await until('Bob', () => mine.presenceState().bob?.[0].name === 'Bob')
  await until('Ada at Bob\'s', () => theirs.presenceState().ada?.[0].name === 'Ada')
  await theirs.track({ name: 'Robert' })
  await until('Robert', () => mine.presenceState().bob?.[0].name === 'Robert' && mine.presenceState().bob.length === 1)
  await theirs.untrack()
  await until('Robert to go', () => mine.presenceState().bob === undefined)
  check(leaves.some((event) => event.key === 'bob' && event.leftPresences[0].name === 'Robert'), 'the leaving was told')
  await bob.removeChannel(theirs)
}

// The private channel of a conversation: who takes part, and nobody else.
{
  step('private')
  const topic = `conversation:${conversation}`
  const heard = []
  const room = await subscribed(ada.channel(topic, { config: { private: true, broadcast: { ack: true } } }).on('broadcast', { event: '*' }, (message) => heard.push(message)))
  const guest = await subscribed(bob.channel(topic, { config: { private: true, broadcast: { ack: true } } }))
  same(await guest.send({ type: 'broadcast', event: 'said', payload: { by: 'bob' } }), 'ok', 'the guest may send')
  await until('the guest', () => heard.length === 1)
  for (const client of [eve, nobody]) {
    step('a stranger')
    const message = await refused(client.channel(topic, { config: { private: true } }))
    same(message, `Unauthorized: You do not have permissions to read from this Channel topic: ${topic}`, 'the refusal')
    await client.removeAllChannels()
  }

  step('renewal')
  // A token that is renewed in time keeps the channel; one that ends closes it, and says so.
  await ada.realtime.setAuth(ownerAgain)
  same(await room.send({ type: 'broadcast', event: 'after', payload: {} }), 'ok', 'a send with the new token')
  const told = []
  step('expiry')
  // Joined before it ends, however slow the machine is: with ever more time.
  let isClosed = false
  for (let seconds = 4; !isClosed; seconds *= 3) {
    check(seconds < 1000, 'no token was joined with')
    const short = clientOf(tokenFor(seconds))
    await short.realtime.setAuth()
    let isJoined = false, isRefused = false
    short.channel(topic, { config: { private: true } }).on('system', {}, (message) => told.push(message)).subscribe((status) => {
      isJoined ||= status === 'SUBSCRIBED'
      isClosed ||= isJoined && status === 'CLOSED'
      isRefused ||= !isJoined && status === 'CHANNEL_ERROR'
    })
    await until('the end of a token', () => isClosed || isRefused)
    if (isRefused) await short.removeAllChannels()
  }
  check(told.some((message) => message.status === 'error' && message.message.startsWith('Token has expired')), `the end is explained: ${JSON.stringify(told)}`)
  await guest.send({ type: 'broadcast', event: 'said', payload: { by: 'bob again' } })
  await until('the guest again', () => heard.some((message) => message.payload.by === 'bob again'))
}

step('removal')
await Promise.all(clients.map((client) => client.removeAllChannels()))
console.log('done')
process.exit(0)
