// Channels with keys that are no tokens.
// node realtime-keys.mjs <url> <version> <publishable key> <secret key> <a user's token> <that user's conversation>
import { check, clientFor, clients, refused, same, step, subscribed, until } from './realtime.mjs'

const [url, vsn, publishable, secret, token, conversation] = process.argv.slice(2)
const topic = `conversation:${conversation}`
const nobody = clientFor(url, vsn, publishable)
const service = clientFor(url, vsn, secret)
const user = clientFor(url, vsn, publishable, token)
await user.realtime.setAuth()

step('a public channel')
const heard = []
await subscribed(nobody.channel('room').on('broadcast', { event: '*' }, (message) => heard.push(message.payload.by)))
const room = await subscribed(service.channel('room', { config: { broadcast: { ack: true } } }))
same(await room.send({ type: 'broadcast', event: 'said', payload: { by: 'the service' } }), 'ok', 'a send')
await until('the service', () => heard.length === 1)
await nobody.channel('room').httpSend('posted', { by: 'nobody' })
await until('a post', () => heard.length === 2)
await user.channel('room').httpSend('posted', { by: 'a user' })
await until('a user\'s post', () => heard.length === 3)
same(heard, ['the service', 'nobody', 'a user'], 'what was heard')

step('a private channel')
check((await refused(nobody.channel(topic, { config: { private: true } }))).startsWith('Unauthorized'), 'nobody may not')
const privately = []
await subscribed(user.channel(topic, { config: { private: true } }).on('broadcast', { event: '*' }, (message) => privately.push(message.payload.by)))
const own = await subscribed(service.channel(topic, { config: { private: true, broadcast: { ack: true } } }))
same(await own.send({ type: 'broadcast', event: 'said', payload: { by: 'the service' } }), 'ok', 'a private send')
await until('the service in private', () => privately.length === 1)

step('rows')
const rows = []
await subscribed(service.channel('rows', { config: { postgres_changes_options: { wait: true } } })
  .on('postgres_changes', { event: 'UPDATE', schema: 'vox', table: 'conversations' }, (event) => rows.push(event.new.name)))
const { error } = await user.from('conversations').update({ name: 'Named' }).eq('id', conversation)
check(!error, JSON.stringify(error))
await until('the change', () => rows.includes('Named'))

step('removal')
await Promise.all(clients.map((client) => client.removeAllChannels()))

console.log('done')
process.exit(0)
