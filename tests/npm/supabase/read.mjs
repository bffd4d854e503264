import { assert, bad, client, good, raw, run } from './checks.mjs'

const db = client()
const names = (rows) => rows.map((row) => row.name)
const filtered = async (use) => names(await good(use(db.from('riders').select('name')).order('name')))

await run({
  'select all': async () => {
    const rows = await good(db.from('shops').select().order('id'))
    assert.deepEqual(rows, [{ id: 1, title: 'Hub', city: 'Oslo' }, { id: 2, title: 'Spoke', city: 'Bergen' }, { id: 3, title: 'Empty', city: null }])
  },
  'without an order rows come as they lie': async () => assert.equal((await good(db.from('riders').select().limit(1)))[0].name, 'ada'),
  'select columns, alias and cast': async () =>
    assert.deepEqual(await good(db.from('bikes').select('model, cost:price::text, id::text').eq('id', 1)), [{ model: 'road', cost: '1000.50', id: '1' }]),
  'select json arrows': async () =>
    assert.deepEqual(await good(db.from('riders').select('town:profile->home->>town, profile->level, profile->colours->>1').eq('name', 'ada')),
      [{ town: 'Bergen', level: 3, colours: 'blue' }]),
  'arrows into a composite or array column': async () =>
    assert.deepEqual(await good(db.from('riders').select('tags->0').eq('name', 'ada')), [{ tags: 'fast' }]),
  'odd names': async () => {
    const rows = await good(db.from('odd names').select('"with space", "quote\\"d", a-b').eq('with space', 'x y'))
    assert.deepEqual(rows, [{ 'with space': 'x y', 'quote"d': 'q', 'a-b': 5 }])
  },
  'eq': async () => assert.deepEqual(await filtered((q) => q.eq('name', 'ada')), ['ada']),
  'neq': async () => assert.deepEqual(await filtered((q) => q.neq('name', 'ada')), ['bob', 'cyd', 'dee']),
  'gt gte lt lte': async () => {
    assert.deepEqual(await filtered((q) => q.gt('name', 'bob')), ['cyd', 'dee'])
    assert.deepEqual(await filtered((q) => q.gte('name', 'bob').lt('name', 'dee')), ['bob', 'cyd'])
    assert.deepEqual(await filtered((q) => q.lte('name', 'ada')), ['ada'])
  },
  'like ilike': async () => {
    assert.deepEqual(await filtered((q) => q.like('name', '%d%')), ['ada', 'cyd', 'dee'])
    assert.deepEqual(await filtered((q) => q.ilike('name', 'A*')), ['ada'])
  },
  'like any and all': async () => {
    assert.deepEqual(await filtered((q) => q.likeAnyOf('name', ['a%', 'b%'])), ['ada', 'bob'])
    assert.deepEqual(await filtered((q) => q.likeAllOf('name', ['%d%', '%e%'])), ['dee'])
    assert.deepEqual(await filtered((q) => q.ilikeAnyOf('name', ['A%', 'B%'])), ['ada', 'bob'])
    assert.deepEqual(await filtered((q) => q.ilikeAllOf('name', ['%D%', '%E%'])), ['dee'])
  },
  'eq any': async () => assert.deepEqual(await filtered((q) => q.filter('name', 'eq(any)', '{ada,dee}')), ['ada', 'dee']),
  'regular expressions': async () => {
    assert.deepEqual(await filtered((q) => q.regexMatch('name', '^[ab]')), ['ada', 'bob'])
    assert.deepEqual(await filtered((q) => q.regexIMatch('name', '^A')), ['ada'])
    assert.deepEqual(await filtered((q) => q.filter('name', 'match(any)', '{^a,^d}')), ['ada', 'dee'])
  },
  'is': async () => {
    assert.deepEqual(await filtered((q) => q.is('profile', null)), ['bob', 'dee'])
    assert.deepEqual(await filtered((q) => q.filter('profile', 'is', 'not_null')), ['ada', 'cyd'])
  },
  'isdistinct': async () => assert.deepEqual(await filtered((q) => q.isDistinct('years', '[20,30)')), ['bob', 'cyd', 'dee']),
  'in': async () => {
    assert.deepEqual(await filtered((q) => q.in('name', ['ada', 'dee', 'a,b', 'q"q'])), ['ada', 'dee'])
    assert.deepEqual(await filtered((q) => q.in('name', [])), [])
    assert.deepEqual((await good(db.from('bikes').select('id').in('id', [1, 2]).order('id'))).map((b) => b.id), [1, 2])
  },
  'not': async () => {
    assert.deepEqual(await filtered((q) => q.not('profile', 'is', null)), ['ada', 'cyd'])
    assert.deepEqual(await filtered((q) => q.not('name', 'in', '(ada,bob)')), ['cyd', 'dee'])
    assert.deepEqual(await filtered((q) => q.notIn('name', ['ada', 'a,b'])), ['bob', 'cyd', 'dee'])
    assert.deepEqual(await filtered((q) => q.notIn('name', [])), ['ada', 'bob', 'cyd', 'dee'])
  },
  'or': async () => {
    assert.deepEqual(await filtered((q) => q.or('name.eq.ada,name.eq.bob')), ['ada', 'bob'])
    assert.deepEqual(await filtered((q) => q.or('name.eq.dee,and(state.eq.open,profile.not.is.null)')), ['ada', 'cyd', 'dee'])
    assert.deepEqual(await filtered((q) => q.or('not.and(name.gt.a,name.lt.c),name.in.(dee,"x,y")')), ['cyd', 'dee'])
    assert.deepEqual(await filtered((q) => q.or('tags.cs.{fast,far},name.eq."dee"')), ['ada', 'dee'])
  },
  'contains, contained, overlaps': async () => {
    assert.deepEqual(await filtered((q) => q.contains('tags', ['fast'])), ['ada'])
    assert.deepEqual(await filtered((q) => q.contains('profile', { level: 1 })), ['cyd'])
    assert.deepEqual(await filtered((q) => q.contains('years', '[21,22)')), ['ada'])
    assert.deepEqual(await filtered((q) => q.containedBy('tags', ['slow', 'steady'])), ['bob', 'dee'])
    assert.deepEqual(await filtered((q) => q.overlaps('tags', ['far', 'slow'])), ['ada', 'bob'])
    assert.deepEqual(await filtered((q) => q.overlaps('years', '[1,21)')), ['ada', 'cyd'])
  },
  'ranges': async () => {
    assert.deepEqual(await filtered((q) => q.rangeLt('years', '[20,30)')), ['cyd'])
    assert.deepEqual(await filtered((q) => q.rangeGt('years', '[2,3)')), ['ada', 'bob'])
    assert.deepEqual(await filtered((q) => q.rangeGte('years', '[20,30)')), ['ada', 'bob'])
    assert.deepEqual(await filtered((q) => q.rangeLte('years', '[20,30)')), ['ada', 'cyd'])
    assert.deepEqual(await filtered((q) => q.rangeAdjacent('years', '[2,25)')), ['bob', 'cyd'])
  },
  'text search': async () => {
    assert.deepEqual(await filtered((q) => q.textSearch('motto', "'fast' & 'far'", { config: 'simple' })), ['ada'])
    assert.deepEqual(await filtered((q) => q.textSearch('motto', 'far away', { type: 'plain', config: 'simple' })), ['cyd'])
    assert.deepEqual(await filtered((q) => q.textSearch('motto', 'slow rider', { type: 'phrase', config: 'simple' })), ['bob'])
    assert.deepEqual(await filtered((q) => q.textSearch('motto', 'far -away', { type: 'websearch', config: 'simple' })), ['ada'])
    assert.deepEqual(await filtered((q) => q.textSearch('name', 'ada')), ['ada'])
  },
  'match and filter': async () => assert.deepEqual(await filtered((q) => q.match({ name: 'ada', state: 'open' }).filter('state', 'in', '(open,closed)')), ['ada']),
  'json filter and order': async () => {
    assert.deepEqual(await filtered((q) => q.eq('profile->home->>town', 'Bergen')), ['ada'])
    assert.deepEqual(names(await good(db.from('riders').select('name').not('profile', 'is', null).order('profile->level', { ascending: false }))), ['ada', 'cyd'])
  },
  'order': async () => {
    assert.deepEqual((await good(db.from('bikes').select('id').order('price', { ascending: false, nullsFirst: false }))).map((b) => b.id), [1, 2, 3, 4])
    assert.deepEqual((await good(db.from('bikes').select('id').order('price', { nullsFirst: true }))).map((b) => b.id), [4, 3, 2, 1])
    assert.deepEqual((await good(db.from('bikes').select('id').order('rider').order('id', { ascending: false }))).map((b) => b.id), [2, 1, 3, 4])
  },
  'limit and range': async () => {
    assert.deepEqual(names(await good(db.from('riders').select('name').order('name').limit(2))), ['ada', 'bob'])
    assert.deepEqual(names(await good(db.from('riders').select('name').order('name').range(1, 2))), ['bob', 'cyd'])
    assert.deepEqual(await good(db.from('riders').select('name').limit(0)), [])
  },
  'count exact': async () => {
    const answer = await db.from('riders').select('name', { count: 'exact' }).order('name').range(1, 2)
    assert.deepEqual([answer.count, answer.status, answer.data.length], [4, 206, 2])
    const all = await db.from('riders').select('name', { count: 'exact' })
    assert.deepEqual([all.count, all.status], [4, 200])
  },
  'head': async () => {
    const answer = await db.from('riders').select('*', { head: true, count: 'exact' })
    assert.deepEqual([answer.count, answer.data, answer.status], [4, null, 200])
  },
  'count planned and estimated': async () => {
    assert.equal((await db.from('riders').select('name', { count: 'planned' })).count, 4)
    assert.equal((await db.from('riders').select('name', { count: 'estimated', head: true })).count, 4)
  },
  'offset beyond the end': async () => {
    const answer = await raw('riders?offset=10', { headers: { Prefer: 'count=exact' } })
    assert.deepEqual([answer.status, answer.json.code, answer.json.details], [416, 'PGRST103', 'An offset of 10 was requested, but there are only 4 rows.'])
    assert.equal(answer.headers.get('content-range'), '*/4')
    assert.equal((await raw('riders?offset=10')).text, '[]')
  },
  'range header': async () => {
    const answer = await raw('riders?select=name&order=name', { headers: { Range: '1-2', 'Range-Unit': 'items' } })
    assert.deepEqual([names(answer.json), answer.headers.get('content-range')], [['bob', 'cyd'], '1-2/*'])
    assert.equal((await raw('riders', { headers: { Range: '3-1' } })).status, 416)
  },
  'headers of an answer': async () => {
    const answer = await raw('riders?select=name&name=eq.ada', { headers: { Prefer: 'count=exact' } })
    assert.equal(answer.headers.get('content-range'), '0-0/1')
    assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
    assert.equal(answer.headers.get('content-location'), '/riders?name=eq.ada&select=name')
    assert.equal(answer.headers.get('preference-applied'), 'count=exact')
    assert.equal(answer.headers.get('content-profile'), 'public')
    assert.equal((await raw('no_key?value=eq.5', { headers: { Prefer: 'count=exact' } })).headers.get('content-range'), '*/0')
  },
  'single': async () => {
    assert.deepEqual(await good(db.from('shops').select('title').eq('id', 1).single()), { title: 'Hub' })
    await bad(db.from('shops').select().eq('id', 99).single(), 406,
      { code: 'PGRST116', message: 'Cannot coerce the result to a single JSON object', details: 'The result contains 0 rows', hint: null })
    await bad(db.from('shops').select().single(), 406, { code: 'PGRST116', details: 'The result contains 3 rows' })
  },
  'maybeSingle': async () => {
    assert.equal(await good(db.from('shops').select().eq('id', 99).maybeSingle()), null)
    assert.deepEqual(await good(db.from('shops').select('id').eq('id', 2).maybeSingle()), { id: 2 })
    await bad(db.from('shops').select().maybeSingle(), 406, { code: 'PGRST116' })
  },
  'csv': async () => {
    assert.equal(await good(db.from('shops').select().order('id').csv()), 'id,title,city\n1,Hub,Oslo\n2,Spoke,Bergen\n3,Empty,')
    assert.equal((await raw('shops', { headers: { Accept: 'text/csv' } })).headers.get('content-type'), 'text/csv; charset=utf-8')
  },
  'nulls stripped': async () => {
    assert.deepEqual(await good(db.from('shops').select().eq('id', 3).stripNulls()), [{ id: 3, title: 'Empty' }])
    assert.deepEqual(await good(db.from('shops').select().eq('id', 3).single().stripNulls()), { id: 3, title: 'Empty' })
  },
  'explain': async () => {
    assert.match(await good(db.from('riders').select().explain()), /Aggregate {2}\(cost=/)
    assert.match(await good(db.from('riders').select().explain({ analyze: true, wal: true })), /actual time=/)
    const plan = await good(db.from('riders').select().explain({ format: 'json', analyze: true, verbose: true, settings: true, buffers: true }))
    assert.ok(plan[0].Plan)
  },
  'aggregates': async () => {
    assert.deepEqual(await good(db.from('bikes').select('count()')), [{ count: 4 }])
    assert.deepEqual(await good(db.from('bikes').select('price.sum(), price.max(), low:price.min(), price.avg()::int, n:id.count()')),
      [{ sum: 2100.5, max: 1000.5, low: 300, avg: 700, n: 4 }])
    assert.deepEqual(await good(db.from('bikes').select('rider, price.sum()').order('rider')),
      [{ rider: 'ada', sum: 1800.5 }, { rider: 'bob', sum: 300 }, { rider: 'cyd', sum: null }])
  },
  'computed columns': async () => {
    assert.deepEqual(await good(db.from('riders').select('name, shout').eq('shout', 'ADA')), [{ name: 'ada', shout: 'ADA' }])
    assert.deepEqual(await good(db.from('riders').select('*, shout').eq('name', 'dee')).then(([row]) => row.shout), 'DEE')
  },
  'views': async () => {
    assert.deepEqual(names(await good(db.from('open_riders').select('name').order('name'))), ['ada', 'cyd', 'dee'])
    assert.equal((await good(db.from('list_of_list').select())).length, 4)
  },
  'another schema': async () => {
    assert.deepEqual(await good(db.schema('personal').from('riders').select()), [{ name: 'ada', note: 'me' }])
    await bad(db.schema('hidden').from('secrets').select(), 406,
      { code: 'PGRST106', message: 'Invalid schema: hidden', hint: 'Only the following schemas are exposed: public, personal' })
  },
  'no such table': async () => {
    await bad(db.from('rider').select(), 404,
      { code: 'PGRST205', message: "Could not find the table 'public.rider' in the schema cache", hint: "Perhaps you meant the table 'public.riders'" })
    await bad(db.from('quite_another').select(), 404, { code: 'PGRST205', hint: null })
  },
  'no such column': async () => {
    await bad(db.from('riders').select('nam'), 400,
      { code: '42703', message: 'column riders.nam does not exist', hint: 'Perhaps you meant to reference the column "riders.name".' })
    await bad(db.from('riders').select().eq('nope_at_all', 1), 400, { code: '42703', message: 'column riders.nope_at_all does not exist' })
    await bad(db.from('riders').select().order('nope_at_all'), 400, { code: '42703' })
  },
  'a value of another type': async () =>
    bad(db.from('bikes').select().eq('id', 'x'), 400, { code: '22P02', message: 'invalid input syntax for type bigint: "x"' }),
  'an unknown type to cast to': async () => bad(db.from('bikes').select('id::nope'), 400, { code: '42704' }),
  'what does not parse': async () => {
    const answer = await raw('riders?name=foo.1')
    assert.deepEqual([answer.status, answer.json.code], [400, 'PGRST100'])
    assert.match(answer.json.message, /^"failed to parse filter \(foo\.1\)" \(line 1, column \d\)$/)
    assert.equal((await raw('riders?select=a(')).json.code, 'PGRST100')
    assert.equal((await raw('riders?or=name.eq.a')).json.code, 'PGRST100')
    assert.equal((await raw('riders?order=name.up')).json.code, 'PGRST100')
    assert.equal((await raw('riders?limit=-1')).status, 416)
  },
  'what nobody may read': async () => {
    await bad(db.from('closed_table').select(), 401, { code: '42501', message: 'permission denied for table closed_table' })
  },
  'media types': async () => {
    const answer = await raw('riders', { headers: { Accept: 'image/png' } })
    assert.deepEqual([answer.status, answer.json.code, answer.json.message], [406, 'PGRST107', 'None of these media types are available: image/png'])
    assert.equal((await raw('riders?limit=1', { headers: { Accept: 'image/png;q=1, application/json;q=0.5' } })).status, 200)
  },
  'time zone': async () => {
    const answer = await raw('riders?select=joined_at&name=eq.ada', { headers: { Prefer: 'timezone=America/New_York' } })
    assert.deepEqual(answer.json, [{ joined_at: '2024-01-01T07:00:00-05:00' }])
    assert.equal((await raw('riders', { headers: { Prefer: 'handling=strict, timezone=Moon/Base' } })).json.code, 'PGRST122')
    assert.equal((await raw('riders', { headers: { Prefer: 'timezone=Moon/Base' } })).status, 200)
  },
  'strict handling': async () => {
    const answer = await raw('riders', { headers: { Prefer: 'handling=strict, nonsense' } })
    assert.deepEqual([answer.status, answer.json.code, answer.json.details], [400, 'PGRST122', 'Invalid preferences: nonsense'])
    assert.equal((await raw('riders', { headers: { Prefer: 'nonsense' } })).status, 200)
  },
  'what cannot be read is named with its place': async () => {
    const said = async (query) => {
      const { json } = await raw(`riders?${query}`)
      return [json.code, json.message.match(/column \d+/)?.[0], json.details]
    }
    const directions = 'expecting "asc", "desc", "nullsfirst" or "nullslast"'
    assert.deepEqual(await said('order=name.ac'), ['PGRST100', 'column 6', `unexpected "c" ${directions}`])
    assert.deepEqual(await said('order=name.nulsfist'), ['PGRST100', 'column 6', `unexpected "n" ${directions}`])
    assert.deepEqual(await said('order=name.descc'), ['PGRST100', 'column 10', `unexpected 'c' expecting delimiter (.), "," or end of input`])
    assert.deepEqual(await said('order=name.asc.nlsfst'), ['PGRST100', 'column 10', 'unexpected "l" expecting "nullsfirst" or "nullslast"'])
    assert.deepEqual(await said('order=name.nullslasttt'), ['PGRST100', 'column 15', `unexpected 't' expecting "," or end of input`])
    assert.deepEqual(await said('name=ada'), ['PGRST100', 'column 1', 'unexpected "a" expecting "not" or operator (eq, gt, ...)'])
    assert.deepEqual(await said('name=noop.1'), ['PGRST100', 'column 1', 'unexpected "o" expecting "not" or operator (eq, gt, ...)'])
    assert.deepEqual(await said('or=()'), ['PGRST100', 'column 4', 'unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)'])
    assert.deepEqual(await said('or=)('), ['PGRST100', 'column 3', 'unexpected ")" expecting "("'])
    assert.deepEqual(await said('or=(name.in.1,2)'), ['PGRST100', 'column 12', 'unexpected "1" expecting "("'])
    assert.deepEqual(await said('and=(ord(name.eq.a,name.eq.b))'), ['PGRST100', 'column 7', 'unexpected "d" expecting "("'])
    assert.deepEqual(await said('or=(name.eq.a,not.xor(name.eq.b))'), ['PGRST100', 'column 18', 'unexpected "x" expecting logic operator (and, or)'])
    assert.deepEqual(await said('select=profile->>--3'), ['PGRST100', 'column 12', 'unexpected "-" expecting digit'])
    assert.deepEqual(await said('select=profile->(x'), ['PGRST100', 'column 10', 'unexpected "(" expecting "-", digit or any non reserved character different from: .,>()'])
  },
  'what stands behind a closed parenthesis is passed over': async () => {
    assert.deepEqual((await raw('riders?and=(name.eq.ada,name.neq.bob))&select=name')).json, [{ name: 'ada' }])
    assert.deepEqual((await raw("riders?select=name,bikes(id)'&name=eq.dee")).json, [{ name: 'dee', bikes: [] }])
  },
  'a name without a value says nothing, and of two orders the first counts': async () => {
    assert.deepEqual((await raw('riders?state&select=name&order=name.desc&order=name.asc&limit=1')).json, [{ name: 'dee' }])
    assert.equal((await raw('riders?state=&limit=1')).json.code, 'PGRST100')
  },
  'a plan names its form in full': async () => {
    const answer = await raw('riders', { headers: { Accept: 'application/vnd.pgrst.plan+json; for="application/vnd.pgrst.object"; options=verbose' } })
    assert.equal(answer.headers.get('content-type'), 'application/vnd.pgrst.plan+json; for="application/vnd.pgrst.object+json"; options=verbose; charset=utf-8')
  },
  'paths and methods': async () => {
    assert.equal((await raw('a/b/c')).json.code, 'PGRST125')
    assert.equal((await raw('riders', { method: 'OPTIONS' })).headers.get('allow'), 'OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE')
    assert.equal((await raw('fixed', { method: 'OPTIONS' })).headers.get('allow'), 'OPTIONS,GET,HEAD')
  },
  'cors': async () => {
    const preflight = await raw('riders', { method: 'OPTIONS', headers: { Origin: 'http://a.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'apikey, prefer' } })
    assert.equal(preflight.status, 200)
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*')
    assert.match(preflight.headers.get('access-control-allow-headers'), /apikey, prefer/)
    const answer = await raw('riders?limit=1', { headers: { Origin: 'http://a.example' } })
    assert.match(answer.headers.get('access-control-expose-headers'), /Content-Range/)
  },
  'the root describes tables and functions': async () => {
    const answer = await raw('', { headers: { Accept: 'application/openapi+json' } })
    assert.equal(answer.json.swagger, '2.0')
    assert.equal(answer.json.definitions.riders.description, 'Those who ride.')
    assert.ok(answer.json.definitions.bikes.properties.rider.description.includes("<fk table='riders' column='name'/>"))
    assert.deepEqual(answer.json.definitions.riders.properties.state.enum, ['open', 'closed'])
    assert.ok(answer.json.paths['/rpc/riders_like'])
    assert.equal(answer.json.definitions.closed_table, undefined)
    const { definitions, paths } = answer.json
    assert.equal(definitions.composite_keys.properties.note.default, 'none')
    assert.equal(definitions.composite_keys.properties.counted.default, 7)
    assert.equal(definitions.licences.properties.rider.description,
      "Note:\nThis is a Primary Key.<pk/>\nThis is a Foreign Key to `riders.name`.<fk table='riders' column='name'/>")
    assert.equal(definitions.riders.properties.name.description, 'Note:\nThis is a Primary Key.<pk/>')
    assert.equal(paths['/riders'].get.responses[206].description, 'Partial Content')
    assert.deepEqual(paths['/rpc/joined'].get.parameters,
      [{ name: 'words', in: 'query', required: true, type: 'array', collectionFormat: 'multi', items: { type: 'string', format: 'text' } }])
    assert.equal(paths['/rpc/add_up'].get.parameters[0].type, 'string')
    const { data, error } = await db.schema('personal').getOpenApiSpec()
    assert.equal(error, null)
    assert.deepEqual(Object.keys(data.definitions), ['riders'])
    assert.deepEqual([data.info.title, data.info.description], ['My own things', 'Nobody else sees them.'])
  },
  'a request is given up': async () => {
    const answer = await db.from('riders').select().abortSignal(AbortSignal.abort())
    assert.deepEqual([answer.data, answer.status], [null, 0])
    assert.match(answer.error.message, /AbortError/)
  },
  'an error is thrown where that is asked': async () => {
    await assert.rejects(async () => db.from('riders').select('nope').throwOnError(), (e) => e.code === '42703' && e.message === 'column riders.nope does not exist')
    assert.deepEqual((await db.from('riders').select('name').eq('name', 'ada').throwOnError()).data, [{ name: 'ada' }])
  },
  'a header of the caller’s': async () =>
    assert.equal((await db.rpc('header_of', { header: 'x-place' }).setHeader('X-Place', 'Bergen')).data, 'Bergen'),
  'retry, overrideTypes and returns change nothing of an answer': async () => {
    assert.deepEqual((await db.from('riders').select('name').eq('name', 'ada').retry(false).overrideTypes()).data, [{ name: 'ada' }])
    assert.deepEqual((await db.from('riders').select('name').eq('name', 'ada').returns()).data, [{ name: 'ada' }])
  },
})
