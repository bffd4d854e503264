// What the suites of channels share.
import { createClient } from '@supabase/supabase-js'

export const patience = 60_000

// Whatever hangs is told by its last step.
setTimeout(() => { console.error('gave up'); process.exit(2) }, 4 * patience).unref()

export const clients = []

/** A client with a user's token, or with the key alone. Its sockets and all that comes over them are kept. */
export const clientFor = (url, vsn, anon, token) => {
  const sockets = [], frames = []
  const transport = class extends WebSocket {
    constructor(...given) {
      super(...given)
      sockets.push(this)
      this.addEventListener('message', (message) => frames.push(message.data))
    }
  }
  const client = createClient(url, anon, { accessToken: token ? async () => token : undefined, realtime: { vsn, transport } })
  clients.push(client)
  return Object.assign(client, { sockets, frames })
}

/** The first value that is not undefined or false. */
export const until = (what, read) => new Promise((resolve, reject) => {
  const started = Date.now()
  const look = () => {
    const value = read()
    if (value !== undefined && value !== false) resolve(value)
    else if (Date.now() - started > patience) reject(new Error(`waited in vain for ${what}`))
    else setTimeout(look, 5)
  }
  look()
})

const began = Date.now()
export const step = (name) => console.error(`${Date.now() - began} ms: ${name}`)

export const check = (ok, what) => { if (!ok) throw new Error(what) }
export const same = (is, should, what) => check(JSON.stringify(is) === JSON.stringify(should), `${what}: ${JSON.stringify(is)} is not ${JSON.stringify(should)}`)

export const subscribed = (channel) => new Promise((resolve, reject) => channel.subscribe((status, error) => {
  if (status === 'SUBSCRIBED') resolve(channel)
  else if (status !== 'CLOSED') reject(error ?? new Error(status))
}))

export const refused = (channel) => new Promise((resolve, reject) => channel.subscribe((status, error) => {
  if (status === 'CHANNEL_ERROR') resolve(error.message)
  else if (status === 'SUBSCRIBED') reject(new Error('subscribed'))
}))
