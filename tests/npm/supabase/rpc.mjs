import { anonKey, assert, bad, client, good, raw, run, serviceKey, userToken, url } from './checks.mjs'
import { createClient } from '@supabase/supabase-js'

const db = client()
const [publishable, secret] = process.argv.slice(6)
const json = { 'Content-Type': 'application/json' }

await run({
  'scalar': async () => assert.equal(await good(db.rpc('state_of', { who: 'bob' })), 'closed'),
  'set of rows, with a default': async () => {
    assert.deepEqual((await good(db.rpc('riders_like', { pattern: '%' }))).map((r) => r.name), ['ada', 'bob', 'cyd', 'dee'])
    assert.deepEqual((await good(db.rpc('riders_like', { pattern: '%', most: 1 }))).map((r) => r.name), ['ada'])
  },
  'one row': async () => assert.equal((await good(db.rpc('first_rider'))).name, 'ada'),
  'table': async () => assert.deepEqual((await good(db.rpc('prices')))[0], { model: 'road', price: 1000.5 }),
  'set of scalars': async () => assert.deepEqual(await good(db.rpc('names')), ['ada', 'bob', 'cyd', 'dee']),
  'void': async () => {
    const answer = await db.rpc('nothing')
    assert.deepEqual([answer.status, answer.data, answer.error], [204, null, null])
  },
  'by get': async () => {
    assert.equal(await good(db.rpc('state_of', { who: 'bob' }, { get: true })), 'closed')
    assert.equal(await good(db.rpc('add_up', { numbers: [1, 2, 3] }, { get: true })), 6)
    assert.equal((await raw('rpc/joined?words=a&words=b')).json, 'a-b')
  },
  'by head': async () => {
    const answer = await db.rpc('riders_like', { pattern: '%' }, { head: true, count: 'exact' })
    assert.deepEqual([answer.count, answer.data], [4, null])
  },
  'arrays, json and variadic arguments': async () => {
    assert.equal(await good(db.rpc('add_up', { numbers: [4, 5] })), 9)
    assert.deepEqual(await good(db.rpc('echo', { body: { a: [1, null] } })), { a: [1, null] })
    assert.equal(await good(db.rpc('joined', { words: ['x', 'y'] })), 'x-y')
  },
  'a row as argument': async () => assert.deepEqual((await good(db.rpc('bikes_of', { rider: { name: 'ada' } }))).map((b) => b.id), [1, 2]),
  'the whole body as argument': async () => {
    assert.deepEqual((await raw('rpc/takes_json', { method: 'POST', headers: json, body: '{"any": ["thing"]}' })).json, { any: ['thing'] })
    assert.equal((await raw('rpc/takes_text', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'loud' })).json, 'LOUD')
  },
  'a form as arguments': async () =>
    assert.equal((await raw('rpc/state_of', { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'who=bob' })).json, 'closed'),
  'select, filter, order and limit of the result': async () => {
    assert.deepEqual(await good(db.rpc('riders_like', { pattern: '%' }).select('name, bikes(id)').eq('state', 'open').order('name', { ascending: false }).limit(2)),
      [{ name: 'dee', bikes: [] }, { name: 'cyd', bikes: [{ id: 4 }] }])
    assert.deepEqual(await good(db.rpc('prices').select('model').gt('price', 500).order('price')), [{ model: 'trail' }, { model: 'road' }])
    assert.deepEqual(await good(db.rpc('first_rider').select('name, shout')), { name: 'ada', shout: 'ADA' })
    assert.deepEqual(await good(db.rpc('riders_like', { pattern: 'ad%' }, { get: true }).select('name').eq('state', 'open')), [{ name: 'ada' }])
    assert.deepEqual(await good(db.rpc('riders_like', { pattern: 'a%' }).select('name').single()), { name: 'ada' })
  },
  'count': async () => {
    const answer = await db.rpc('riders_like', { pattern: '%' }, { count: 'exact' }).limit(2)
    assert.deepEqual([answer.count, answer.data.length, answer.status], [4, 2, 206])
  },
  'overloads': async () => {
    assert.equal(await good(db.rpc('overloaded')), 0)
    assert.equal(await good(db.rpc('overloaded', { a: 1 })), 1)
    assert.equal(await good(db.rpc('overloaded', { b: 1, a: 1 })), 2)
    await bad(db.rpc('twins', { a: 1 }), 300, {
      code: 'PGRST203', message: 'Could not choose the best candidate function between: public.twins(a => integer), public.twins(a => text)',
      hint: 'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
    })
  },
  'no such function': async () => {
    await bad(db.rpc('state_off', { who: 'x' }), 404, {
      code: 'PGRST202', message: 'Could not find the function public.state_off(who) in the schema cache', hint: 'Perhaps you meant to call the function public.state_of',
      details: 'Searched for the function public.state_off with parameter who or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.',
    })
    await bad(db.rpc('overloaded', { a: 1, c: 2 }), 404, { code: 'PGRST202', hint: 'Perhaps you meant to call the function public.overloaded(a, b)' })
    await bad(db.rpc('nobody_has_this'), 404, { code: 'PGRST202', message: 'Could not find the function public.nobody_has_this without parameters in the schema cache', hint: null })
  },
  'reads write nothing': async () => {
    await bad(db.rpc('writes_in_read'), 400, { code: '0A000' })
    const answer = await raw('rpc/close_rider?who=ada')
    assert.deepEqual([answer.status, answer.json.code], [405, '25006'])
  },
  'methods': async () => {
    const answer = await raw('rpc/names', { method: 'DELETE' })
    assert.deepEqual([answer.status, answer.json.code, answer.json.message], [405, 'PGRST101', 'Cannot use the DELETE method on RPC'])
    assert.equal((await raw('rpc/nothing', { method: 'OPTIONS' })).headers.get('allow'), 'OPTIONS,POST')
  },
  'max affected': async () => {
    await bad(db.rpc('first_rider').maxAffected(1), 400, { code: 'PGRST128' })
    await bad(db.rpc('riders_like', { pattern: '%' }).maxAffected(2), 400, { code: 'PGRST124' })
  },
  'a status of its own': async () => {
    await bad(db.rpc('teapot'), 418, { code: 'PT418', message: 'short and stout', details: 'a pot', hint: 'tip me over' })
    const answer = await raw('rpc/whole_answer', { method: 'POST' })
    assert.deepEqual([answer.status, answer.json, answer.headers.get('x-plan')],
      [402, { code: '123', message: 'Payment needed', details: 'quota', hint: 'upgrade' }, 'free'])
    await bad(db.rpc('bad_answer'), 500, { code: 'PGRST121' })
    await bad(db.rpc('plain_raise'), 400, { code: 'P0001', message: 'no way', hint: 'ask' })
    await bad(db.rpc('two_rows'), 500, { code: '21000' })
  },
  'headers and status of its own': async () => {
    const answer = await raw('rpc/answers_headers', { method: 'POST' })
    assert.deepEqual([answer.status, answer.json, answer.headers.get('x-tea'), answer.headers.get('cache-control')], [202, 'ok', 'green', 'max-age=9'])
  },
  'another schema': async () => assert.equal(await good(db.schema('personal').rpc('state_of', { who: 'ada' })), 'me'),
  'what a request tells the database': async () => {
    const seen = await good(db.rpc('who'))
    assert.deepEqual([seen.role, seen.claims.role, seen.method, seen.path, seen.timeout, seen.read_only], ['anon', 'anon', 'POST', '/rpc/who', '9s', 'on'])
    assert.match(seen.agent, /^supabase-js/)
    assert.equal(seen.authorization, `Bearer ${anonKey}`)
    assert.equal(seen.cookie, null)
  },
  'who asks': async () => {
    assert.equal((await good(client(serviceKey).rpc('who'))).role, 'service_role')
    const signedIn = createClient(url, anonKey, { accessToken: async () => userToken })
    const seen = await good(signedIn.rpc('who'))
    assert.equal(seen.role, 'authenticated')
    assert.ok(seen.claims.sub)
    assert.equal((await good(client(publishable).rpc('who'))).role, 'anon')
    assert.equal((await good(client(secret).rpc('who'))).role, 'service_role')
    await bad(signedIn.from('closed_table').select(), 403, { code: '42501' })
  },
  'parameters without a name': async () => {
    assert.equal(await good(db.rpc('takes_text', { '': 'a' })), '{"":"A"}')
    assert.equal(await good(db.rpc('many_forms', { '': 'any' })), 'text')
    assert.equal(await good(db.rpc('many_forms')), 'none')
    await bad(db.rpc('only_number', { '': 1 }), 404, {
      code: 'PGRST202', message: 'Could not find the function public.only_number() in the schema cache',
      details: 'Searched for the function public.only_number with parameter  or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.',
    })
    await bad(db.rpc('optional_word'), 300, {
      code: 'PGRST203', message: 'Could not choose the best candidate function between: public.optional_word(), public.optional_word( => text)',
    })
  },
  'candidates in the order of their parameters': async () => {
    await bad(db.rpc('siblings', { a: 1 }), 300, {
      code: 'PGRST203',
      message: 'Could not choose the best candidate function between: public.siblings(a => integer), public.siblings(a => text), public.siblings(a => text, b => integer)',
    })
  },
  'a failure inside is the server’s': async () => {
    const answer = await raw('too_many_rows')
    assert.deepEqual([answer.status, answer.json.code], [500, '21000'])
    await bad(db.from('endless').insert({ id: 1 }), 500, { code: '54001' })
  },
  'credentials that do not hold': async () => {
    const two = await raw('riders', { headers: { Authorization: 'Bearer a.b' } })
    assert.deepEqual([two.status, two.json.code, two.json.message], [401, 'PGRST301', 'Expected 3 parts in JWT; got 2'])
    assert.equal(two.headers.get('www-authenticate'), 'Bearer error="invalid_token", error_description="Expected 3 parts in JWT; got 2"')
    const none = await raw('riders', { headers: { Authorization: 'Bearer ' } })
    assert.deepEqual([none.status, none.json.message], [401, 'Empty JWT is sent in Authorization header'])
    const answer = await raw('riders', { headers: { Authorization: 'Bearer nonsense' } })
    assert.deepEqual([answer.status, answer.json.code], [401, 'PGRST301'])
    assert.match(answer.headers.get('www-authenticate'), /^Bearer error="invalid_token"/)
    await bad(client('sb_secret_guessed').from('riders').select(), 401, { code: 'PGRST301' })
    assert.equal((await fetch(`${url}/rest/v1/riders?limit=1`)).status, 200)
  },
})
