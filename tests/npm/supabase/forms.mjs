// Domains that are written in a form of their own, and forms of answers that the database brings.
import { anonKey, assert, bad, client, good, raw, run, url } from './checks.mjs'

const db = client()
const accept = (type, more = {}) => ({ headers: { Accept: type, ...more } })
const json = { 'Content-Type': 'application/json' }

await run({
  'a domain goes out by its cast': async () => {
    assert.deepEqual(await good(db.from('repairs').select('id, cost, tip').order('id')),
      [{ id: 1, cost: '€12.50', tip: null }, { id: 2, cost: '€5.00', tip: '€0.05' }, { id: 3, cost: null, tip: null }])
    assert.deepEqual(await good(db.from('repairs').select().eq('id', 1).single()), { id: 1, bike_id: 1, cost: '€12.50', tip: null })
    assert.deepEqual(await good(db.from('repairs').select('price:cost, text:cost::text').eq('id', 2)), [{ price: '€5.00', text: '"€5.00"' }])
    assert.deepEqual(await good(db.from('repair_list').select('cost, twice').eq('id', 2)), [{ cost: '€5.00', twice: '€10.00' }])
  },
  'in related rows': async () => {
    assert.deepEqual(await good(db.from('bikes').select('id, repairs(*)').eq('id', 2)),
      [{ id: 2, repairs: [{ id: 2, bike_id: 2, cost: '€5.00', tip: '€0.05' }] }])
    assert.deepEqual(await good(db.from('repairs').select('id, bikes(model, ...riders(name))').eq('id', 1)), [{ id: 1, bikes: { model: 'road', name: 'ada' } }])
  },
  'it comes in by its cast where it is compared': async () => {
    const ids = async (query) => (await good(query.order('id'))).map((row) => row.id)
    assert.deepEqual(await ids(db.from('repairs').select('id').eq('cost', '€12.50')), [1])
    assert.deepEqual(await ids(db.from('repairs').select('id').gt('cost', '5')), [1])
    assert.deepEqual(await ids(db.from('repairs').select('id').in('cost', ['€5', '€12.50'])), [1, 2])
    assert.deepEqual(await ids(db.from('repairs').select('id').filter('cost', 'eq(any)', '{€5,€1}')), [2])
    assert.deepEqual(await ids(db.from('repairs').select('id').isDistinct('cost', '€5')), [1, 3])
    assert.deepEqual(await ids(db.from('repairs').select('id').or('cost.eq.€5,cost.is.null')), [2, 3])
    assert.deepEqual((await good(db.from('bikes').select('id, repairs!inner(id)').eq('repairs.cost', '€5'))).map((b) => b.id), [2])
    await bad(db.from('repairs').select('id').eq('cost', 'much'), 400, { code: '22P02' })
    await bad(db.from('repairs').select('id').like('cost', '1%'), 404, { code: '42883' })
  },
  'and where it is written': async () => {
    assert.deepEqual(await good(db.from('repairs').insert({ id: 10, cost: '€1.20' }).select('cost').rollback(), 201), [{ cost: '€1.20' }])
    assert.deepEqual(await good(db.from('repairs').insert([{ id: 11 }, { id: 12, cost: '€2' }], { defaultToNull: false }).select('cost').rollback(), 201),
      [{ cost: '€5.00' }, { cost: '€2.00' }])
    assert.deepEqual(await good(db.from('repairs').update({ cost: '€9.99' }).eq('id', 1).select('cost').rollback()), [{ cost: '€9.99' }])
    assert.deepEqual(await good(db.from('repairs').upsert({ id: 2, tip: '€3' }).select('cost, tip').rollback()), [{ cost: '€5.00', tip: '€3.00' }])
    assert.deepEqual(await good(db.from('repairs').delete().eq('cost', '€12.50').select('id').rollback()), [{ id: 1 }])
    await bad(db.from('repairs').insert({ id: 13, cost: 'much' }), 400, { code: '22P02' })
  },
  'what is made of many is made of values': async () =>
    assert.deepEqual(await good(db.from('repairs').select('cost.sum(), cost.max(), n:cost.count()')), [{ sum: 1750, max: 1250, n: 2 }]),
  'it is sorted by value': async () =>
    assert.deepEqual((await good(db.from('repairs').select('id').order('cost', { nullsFirst: false }))).map((row) => row.id), [2, 1, 3]),
  'a function that returns a media type': async () => {
    const answer = await raw('rpc/slogan', accept('text/plain'))
    assert.deepEqual([answer.status, answer.text, answer.headers.get('content-type')], [200, 'Ride on.', 'text/plain; charset=utf-8'])
    assert.equal((await raw('rpc/slogan', accept('image/png, text/plain;q=0.5'))).text, 'Ride on.')
    assert.equal(await good(db.rpc('slogan')), 'Ride on.')
    assert.equal((await raw('rpc/slogan', accept('text/html'))).json.code, 'PGRST107')
    assert.equal((await raw('rpc/slogan', { method: 'POST', ...accept('text/plain', json), body: '{}' })).text, 'Ride on.')
  },
  'bytes': async () => {
    const answer = await fetch(`${url}/rest/v1/rpc/wheel`, accept('image/x-wheel', { apikey: anonKey }))
    assert.equal(answer.headers.get('content-type'), 'image/x-wheel')
    assert.deepEqual([...new Uint8Array(await answer.arrayBuffer())], [0, 255, 16])
    const none = await raw('rpc/wheel?spokes=0', accept('image/x-wheel'))
    assert.deepEqual([none.status, none.text], [200, ''])
  },
  'any media type': async () => {
    const answer = await raw('rpc/anything', accept('weird/thing'))
    assert.deepEqual([answer.text, answer.headers.get('content-type')], ['as you like', 'application/octet-stream'])
  },
  'rows of a table, whole ones': async () => {
    const answer = await raw('shops?id=lt.3&order=id', accept('text/tab-separated-values'))
    assert.deepEqual([answer.text, answer.headers.get('content-type')], ['1\tHub\n2\tSpoke\n', 'text/tab-separated-values'])
    assert.equal((await raw('shops?select=id,title', accept('text/tab-separated-values'))).status, 406)
    assert.equal((await raw('riders', accept('text/tab-separated-values'))).status, 406)
    assert.equal((await raw('rpc/all_shops?limit=1', accept('text/tab-separated-values'))).text, '1\tHub\n')
    const head = await raw('shops', { method: 'HEAD', ...accept('text/tab-separated-values') })
    assert.deepEqual([head.status, head.headers.get('content-type')], [200, 'text/tab-separated-values'])
  },
  'rows of a table that were written': async () => {
    const insert = (prefer) => raw('shops', { method: 'POST', ...accept('text/tab-separated-values', { ...json, Prefer: prefer }), body: '{"id":7,"title":"New"}' })
    assert.equal((await insert('return=representation, tx=rollback')).text, '7\tNew\n')
    assert.equal((await insert('tx=rollback')).text, '')
  },
  'rows of any table, with the columns chosen': async () =>
    assert.equal((await raw('shops?select=title,id&id=lt.3&order=id', accept('application/vnd.rows'))).text, '(Hub,1);(Spoke,2);'),
  'their plan': async () => {
    const answer = await raw('shops', accept('application/vnd.pgrst.plan+json; for="text/tab-separated-values"'))
    assert.equal(answer.headers.get('content-type'), 'application/vnd.pgrst.plan+json; for="text/tab-separated-values"; charset=utf-8')
    assert.ok(answer.json[0].Plan)
  },
  'what the database does not bring stays as it was': async () => {
    assert.equal((await raw('shops?limit=1', accept('text/csv'))).headers.get('content-type'), 'text/csv; charset=utf-8')
    assert.equal((await raw('shops?limit=1', accept('*/*'))).headers.get('content-type'), 'application/json; charset=utf-8')
  },
  'geojson': async () => {
    assert.deepEqual(await good(db.from('shops').select('id, title').lt('id', 3).order('id').geojson()), {
      type: 'FeatureCollection',
      features: [{ type: 'Feature', geometry: null, properties: { id: 1, title: 'Hub' } }, { type: 'Feature', geometry: null, properties: { id: 2, title: 'Spoke' } }],
    })
    const none = await raw('shops?id=eq.0', accept('application/geo+json'))
    assert.deepEqual([none.json, none.headers.get('content-type')], [{ type: 'FeatureCollection', features: [] }, 'application/geo+json; charset=utf-8'])
  },
  'bodies as they are': async () => {
    const post = (name, type, body) => raw(`rpc/${name}`, { method: 'POST', headers: { 'Content-Type': type }, body })
    assert.equal((await post('takes_xml', 'text/xml', '<a>1</a>')).json, '<a>1</a>')
    assert.equal((await post('takes_xml', 'text/xml', '<')).json.code, '2200N')
    assert.equal((await post('takes_bytes', 'application/octet-stream', new Uint8Array([0, 255]))).json, 2)
  },
})
