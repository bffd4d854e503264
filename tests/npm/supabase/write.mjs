import { assert, bad, client, good, raw, run } from './checks.mjs'

const db = client()
const json = { 'Content-Type': 'application/json' }

await run({
  'insert without answer': async () => {
    const answer = await db.from('shops').insert({ id: 10, title: 'New' })
    assert.deepEqual([answer.status, answer.data, answer.error], [201, null, null])
    assert.deepEqual(await good(db.from('shops').select('title').eq('id', 10)), [{ title: 'New' }])
  },
  'insert and select': async () => {
    assert.deepEqual(await good(db.from('shops').insert({ id: 11, title: 'Two' }).select(), 201), [{ id: 11, title: 'Two', city: null }])
    assert.deepEqual(await good(db.from('shops').insert({ id: 12 }).select('id').single(), 201), { id: 12 })
  },
  'insert many': async () => {
    const rows = await good(db.from('shops').insert([{ id: 13, title: 'a' }, { id: 14, city: 'b' }]).select('id, title, city'), 201)
    assert.deepEqual(rows, [{ id: 13, title: 'a', city: null }, { id: 14, title: null, city: 'b' }])
    assert.deepEqual(await good(db.from('shops').insert([]).select(), 201), [])
  },
  'insert with a count': async () => {
    const answer = await db.from('shops').insert([{ id: 15 }, { id: 16 }], { count: 'exact' })
    assert.equal(answer.count, 2)
  },
  'missing values become null, or the default when asked': async () => {
    const rows = await good(db.from('composite_keys').insert([{ a: 5, b: 1, note: 'x' }, { a: 5, b: 2 }], { defaultToNull: false }).select(), 201)
    assert.deepEqual(rows, [{ a: 5, b: 1, note: 'x', counted: 7 }, { a: 5, b: 2, note: 'none', counted: 7 }])
    const nulls = await good(db.from('composite_keys').insert([{ a: 6, b: 1, note: 'x' }, { a: 6, b: 2 }]).select('note'), 201)
    assert.deepEqual(nulls, [{ note: 'x' }, { note: null }])
  },
  'insert embeds': async () =>
    assert.deepEqual(await good(db.from('bikes').insert({ id: 30, rider: 'bob', model: 'new' }).select('model, riders(name, state), shops(title)'), 201),
      [{ model: 'new', riders: { name: 'bob', state: 'closed' }, shops: null }]),
  'insert answers computed columns and relationships': async () =>
    assert.deepEqual(await good(db.from('riders').insert({ name: 'eve' }).select('name, shout, bikes_of(id), bikes(id)').single(), 201),
      { name: 'eve', shout: 'EVE', bikes_of: [], bikes: [] }),
  'empty object inserts defaults': async () => {
    const rows = await good(db.from('parts').insert({}).select('label'), 201)
    assert.deepEqual(rows, [{ label: null }])
  },
  'location': async () => {
    const answer = await raw('shops', { method: 'POST', headers: { ...json, Prefer: 'return=headers-only' }, body: '{"id": 40}' })
    assert.deepEqual([answer.status, answer.text, answer.headers.get('location'), answer.headers.get('content-range')], [201, '', '/shops?id=eq.40', '*/*'])
  },
  'a key that is taken': async () =>
    bad(db.from('shops').insert({ id: 1 }), 409,
      { code: '23505', message: 'duplicate key value violates unique constraint "shops_pkey"', details: 'Key (id)=(1) already exists.' }),
  'a reference that leads nowhere': async () =>
    bad(db.from('bikes').insert({ id: 31, rider: 'nobody' }), 409, { code: '23503', details: 'Key (rider)=(nobody) is not present in table "riders".' }),
  'a check that fails': async () => {
    await bad(db.from('short_texts').insert({ id: 1 }), 400, { code: '23502' })
    await bad(db.from('short_texts').insert({ id: 1, must: 'x', code: 'toolong' }), 400, { code: '22001' })
  },
  'an unknown column': async () =>
    bad(db.from('shops').insert({ nope: 1 }), 400, { code: 'PGRST204', message: "Could not find the 'nope' column of 'shops' in the schema cache" }),
  'bodies that do not do': async () => {
    const post = (body, headers = json) => raw('shops', { method: 'POST', headers, body })
    assert.deepEqual([(await post('{')).status, (await post('{')).json.code, (await post('{')).json.message], [400, 'PGRST102', 'Empty or invalid json'])
    assert.equal((await post('')).json.code, 'PGRST102')
    assert.equal((await post('[{"id":60},{"title":"x"}]')).json.message, 'All object keys must match')
    assert.equal((await post('[1]')).json.code, 'PGRST102')
    assert.equal((await post('x', { 'Content-Type': 'application/pdf' })).json.message, 'Content-Type not acceptable: application/pdf')
  },
  'csv and forms as bodies': async () => {
    const csv = await raw('shops?select=id,title', { method: 'POST', headers: { 'Content-Type': 'text/csv', Prefer: 'return=representation' }, body: 'id,title\n70,"a,""b"""\n71,NULL\n' })
    assert.deepEqual(csv.json, [{ id: 70, title: 'a,"b"' }, { id: 71, title: null }])
    const form = await raw('shops?select=title', { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded', Prefer: 'return=representation' }, body: 'id=72&title=a+b' })
    assert.deepEqual(form.json, [{ title: 'a b' }])
  },
  'upsert': async () => {
    assert.deepEqual(await good(db.from('shops').upsert({ id: 80, title: 'up' }).select(), 201), [{ id: 80, title: 'up', city: null }])
    assert.deepEqual(await good(db.from('shops').upsert({ id: 80, title: 'down' }).select('title')), [{ title: 'down' }])
    assert.deepEqual(await good(db.from('shops').upsert([{ id: 80, title: 'x' }, { id: 81, title: 'y' }]).select('id'), 201), [{ id: 80 }, { id: 81 }])
  },
  'upsert on another key, ignoring duplicates': async () => {
    assert.deepEqual(await good(db.from('clubs').upsert({ id: 2, name: 'dawn' }, { onConflict: 'name' }).select('id'), 200), [{ id: 2 }])
    assert.deepEqual(await good(db.from('clubs').upsert({ id: 99, name: 'dawn' }, { onConflict: 'name', ignoreDuplicates: true }).select(), 201), [])
    assert.deepEqual(await good(db.from('composite_keys').upsert({ a: 1, b: 1, note: 'changed' }).select('note')), [{ note: 'changed' }])
    await bad(db.from('clubs').upsert([{ id: 5, name: 'q' }, { id: 5, name: 'r' }]), 400, { code: '21000' })
  },
  'an upsert of nothing': async () =>
    assert.deepEqual(await good(db.from('clubs').upsert([]).select(), 200), []),
  'put takes no other condition': async () => {
    const answer = await raw('clubs?and=(nothing.eq.1)', { method: 'PUT', headers: json, body: '{"id": 1, "name": "night"}' })
    assert.deepEqual([answer.status, answer.json.code], [405, 'PGRST105'])
  },
  'preference applied': async () => {
    const answer = await raw('clubs', { method: 'POST', headers: { ...json, Prefer: 'resolution=merge-duplicates, return=minimal, missing=default' }, body: '{"id": 2, "name": "dawn"}' })
    assert.equal(answer.headers.get('preference-applied'), 'resolution=merge-duplicates, missing=default, return=minimal')
  },
  'update': async () => {
    const silent = await db.from('shops').update({ city: 'Paris' }).eq('id', 10)
    assert.deepEqual([silent.status, silent.data], [204, null])
    assert.deepEqual(await good(db.from('shops').update({ city: 'Rome' }).eq('id', 10).select('city')), [{ city: 'Rome' }])
    const counted = await db.from('shops').update({ city: 'Oslo' }, { count: 'exact' }).in('id', [10, 11])
    assert.equal(counted.count, 2)
    assert.deepEqual(await good(db.from('shops').update({}).eq('id', 10).select()), [])
    assert.deepEqual(await good(db.from('shops').update({ city: 'x' }).eq('id', 12345).select()), [])
  },
  'update of one': async () => {
    assert.deepEqual(await good(db.from('shops').update({ city: 'Y' }).eq('id', 10).select('city').single()), { city: 'Y' })
    await bad(db.from('shops').update({ city: 'Z' }).in('id', [10, 11]).select().single(), 406, { code: 'PGRST116', details: 'The result contains 2 rows' })
    assert.deepEqual(await good(db.from('shops').select('city').in('id', [10, 11]).order('id')), [{ city: 'Y' }, { city: 'Oslo' }])
  },
  'update with or and embed': async () =>
    assert.deepEqual(await good(db.from('bikes').update({ price: 5 }).or('model.eq.new,id.eq.30').select('id, price, riders(name)')), [{ id: 30, price: 5, riders: { name: 'bob' } }]),
  'update content range': async () => {
    const answer = await raw('shops?id=in.(10,11)', { method: 'PATCH', headers: { ...json, Prefer: 'count=exact' }, body: '{"city":"Q"}' })
    assert.deepEqual([answer.status, answer.headers.get('content-range')], [204, '0-1/2'])
    assert.equal((await raw('shops?id=eq.999', { method: 'PATCH', headers: json, body: '{"city":"Q"}' })).headers.get('content-range'), '*/*')
  },
  'max affected': async () => {
    await bad(db.from('shops').update({ city: 'W' }).in('id', [10, 11]).maxAffected(1), 400,
      { code: 'PGRST124', message: 'Query result exceeds max-affected preference constraint', details: 'The query affects 2 rows' })
    assert.deepEqual(await good(db.from('shops').select('city').eq('id', 10)), [{ city: 'Q' }])
    assert.equal((await db.from('shops').update({ city: 'V' }).in('id', [10, 11]).maxAffected(2)).status, 204)
    await bad(db.from('shops').delete().in('id', [10, 11]).maxAffected(1), 400, { code: 'PGRST124' })
  },
  'delete': async () => {
    assert.deepEqual(await good(db.from('shops').delete().eq('id', 12).select('id')), [{ id: 12 }])
    const answer = await db.from('shops').delete({ count: 'exact' }).in('id', [13, 14])
    assert.deepEqual([answer.status, answer.count, answer.data], [204, 2, null])
    await bad(db.from('shops').delete().eq('id', 1), 409, { code: '23503' })
    assert.equal((await raw('shops?id=eq.99999', { method: 'DELETE' })).headers.get('content-range'), '*/*')
  },
  'rolled back': async () => {
    assert.deepEqual(await good(db.from('shops').insert({ id: 90 }).select('id').rollback(), 201), [{ id: 90 }])
    assert.deepEqual(await good(db.from('shops').select().eq('id', 90)), [])
    assert.deepEqual(await good(db.from('shops').upsert({ id: 1, title: 'gone' }).select('title').rollback().single()), { title: 'gone' })
    await good(db.from('shops').delete().eq('id', 3).rollback(), 204)
    assert.deepEqual(await good(db.from('shops').select('title').in('id', [1, 3]).order('id')), [{ title: 'Hub' }, { title: 'Empty' }])
    assert.deepEqual(await good(db.rpc('close_rider', { who: 'ada' }).rollback()), 'closed')
    assert.deepEqual(await good(db.from('riders').select('state').eq('name', 'ada')), [{ state: 'open' }])
  },
  'put': async () => {
    const put = (path, body, prefer = 'return=representation') => raw(path, { method: 'PUT', headers: { ...json, Prefer: prefer }, body: JSON.stringify(body) })
    const made = await put('shops?id=eq.95', { id: 95, title: 'put' })
    assert.deepEqual([made.status, made.json], [201, [{ id: 95, title: 'put', city: null }]])
    assert.equal((await put('shops?id=eq.95', { id: 95, title: 'again', city: null })).status, 200)
    assert.equal((await put('shops?id=eq.95', { id: 95, title: 'q' }, 'return=minimal')).status, 204)
    const other = await put('shops?id=eq.95', { id: 96, title: 'no' })
    assert.deepEqual([other.status, other.json.code], [400, 'PGRST115'])
    assert.deepEqual(await good(db.from('shops').select().eq('id', 96)), [])
    assert.equal((await put('shops?title=eq.x', { id: 95 })).json.code, 'PGRST105')
    assert.equal((await put('shops?id=eq.95&limit=1', { id: 95 })).json.code, 'PGRST114')
  },
  'views that can be written': async () => {
    assert.deepEqual(await good(db.from('bike_list').insert({ bike_id: 97, owner: 'bob', model: 'view' }).select(), 201), [{ bike_id: 97, owner: 'bob', model: 'view' }])
    await bad(db.from('fixed').insert({ name: 'x' }), 500, { code: '55000' })
  },
  'what nobody may write': async () => {
    await bad(db.from('closed_table').insert({ id: 1 }), 401, { code: '42501' })
  },
  'in another schema': async () => {
    assert.deepEqual(await good(db.schema('personal').from('riders').insert({ name: 'zed', note: 'p' }).select(), 201), [{ name: 'zed', note: 'p' }])
    assert.deepEqual(await good(db.from('riders').select().eq('name', 'zed')), [])
  },
  'a hostile value is only a value': async () => {
    const text = `'); drop table public.shops; -- " \\ $1 {} 😀`
    assert.deepEqual(await good(db.from('shops').insert({ id: 98, title: text }).select('title').single(), 201), { title: text })
    assert.deepEqual(await good(db.from('shops').select('id').eq('title', text)), [{ id: 98 }])
    const odd = "a,(b)'c; --"
    await good(db.from('shops').insert({ id: 99, title: odd }), 201)
    assert.deepEqual(await good(db.from('shops').select('id').in('title', [odd, 'no such title'])), [{ id: 99 }])
    assert.deepEqual(await good(db.from('shops').select(`"shops; --":id`).eq('id', 98)), [{ 'shops; --': 98 }])
  },
})
