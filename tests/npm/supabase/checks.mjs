// What the suites share. Each check prints one line, `ok <name>` or `not ok <name>`, and what was wrong beneath it.
import assert from 'node:assert/strict'
import { createClient } from '@supabase/supabase-js'

export const [url, anonKey, serviceKey, userToken] = process.argv.slice(2)

export const client = (key = anonKey, options = {}) =>
  createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false }, ...options })

/** What a server answers to a request written by hand. */
export const raw = async (path, init = {}) => {
  const response = await fetch(`${url}/rest/v1/${path}`, { ...init, headers: { apikey: anonKey, ...init.headers } })
  const text = await response.text()
  let json
  try { json = JSON.parse(text) } catch { /* not JSON */ }
  return { status: response.status, headers: response.headers, text, json }
}

/** Data and status of an answer without an error. */
export const good = async (query, status = 200) => {
  const answer = await query
  assert.equal(answer.error, null, JSON.stringify(answer.error))
  assert.equal(answer.status, status)
  return answer.data
}

/** An answer that is an error with these fields. */
export const bad = async (query, status, fields) => {
  const answer = await query
  assert.equal(answer.data, null)
  assert.equal(answer.status, status, JSON.stringify(answer.error))
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof RegExp) assert.match(String(answer.error[name]), value)
    else assert.deepEqual(answer.error[name], value, name)
  }
  return answer.error
}

export const run = async (checks) => {
  let failed = 0
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check()
      console.log(`ok ${name}`)
    } catch (e) {
      failed++
      console.log(`not ok ${name}\n  ${String(e.stack ?? e).split('\n').slice(0, 30).join('\n  ')}`)
    }
  }
  console.log(`done ${failed}`)
}

export { assert }
