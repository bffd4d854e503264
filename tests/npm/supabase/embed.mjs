import { assert, bad, client, good, raw, run } from './checks.mjs'

const db = client()

await run({
  'to one': async () =>
    assert.deepEqual(await good(db.from('bikes').select('model, riders(name)').eq('id', 1)), [{ model: 'road', riders: { name: 'ada' } }]),
  'to one that is absent': async () => assert.deepEqual(await good(db.from('bikes').select('id, shops(title)').eq('id', 4)), [{ id: 4, shops: null }]),
  'to many': async () =>
    assert.deepEqual(await good(db.from('riders').select('name, bikes(id)').in('name', ['ada', 'dee']).order('name')),
      [{ name: 'ada', bikes: [{ id: 1 }, { id: 2 }] }, { name: 'dee', bikes: [] }]),
  'one to one, both ways': async () => {
    assert.deepEqual(await good(db.from('riders').select('name, licences(number)').order('name').limit(2)),
      [{ name: 'ada', licences: { number: 'L1' } }, { name: 'bob', licences: { number: 'L2' } }])
    assert.deepEqual(await good(db.from('licences').select('number, riders(state)').eq('rider', 'bob')), [{ number: 'L2', riders: { state: 'closed' } }])
  },
  'many to many': async () =>
    assert.deepEqual(await good(db.from('clubs').select('name, riders(name)').order('name').order('name', { referencedTable: 'riders' })),
      [{ name: 'dawn', riders: [{ name: 'ada' }] }, { name: 'night', riders: [{ name: 'ada' }, { name: 'bob' }] }]),
  'many to many with a hint': async () =>
    assert.deepEqual(await good(db.from('riders').select('clubs!memberships(name)').eq('name', 'bob')), [{ clubs: [{ name: 'night' }] }]),
  'nested': async () =>
    assert.deepEqual(await good(db.from('shops').select('title, bikes(model, riders(name, licences(number)))').eq('id', 2)),
      [{ title: 'Spoke', bikes: [{ model: 'trail', riders: { name: 'ada', licences: { number: 'L1' } } }] }]),
  'alias, hint by key and by column': async () => {
    const wanted = [{ id: 1, first: { name: 'ada' }, second: { name: 'bob' } }, { id: 2, first: { name: 'cyd' }, second: null }]
    assert.deepEqual(await good(db.from('races').select('id, first:riders!races_winner_fkey(name), second:riders!races_loser_fkey(name)').order('id')), wanted)
    assert.deepEqual(await good(db.from('races').select('id, first:riders!winner(name), second:riders!loser(name)').order('id')), wanted)
    assert.deepEqual(await good(db.from('races').select('id, first:winner(name), second:loser(name)').order('id')), wanted)
    assert.deepEqual(await good(db.from('races').select('id, first:races_winner_fkey(name), second:races_loser_fkey(name)').order('id')), wanted)
  },
  'two ways and no hint': async () => {
    const error = await bad(db.from('races').select('riders(*)'), 300,
      { code: 'PGRST201', message: "Could not embed because more than one relationship was found for 'races' and 'riders'" })
    assert.deepEqual(error.details.map((d) => d.relationship),
      ['races_loser_fkey using races(loser) and riders(name)', 'races_winner_fkey using races(winner) and riders(name)'])
    assert.deepEqual(error.details[0].cardinality, 'many-to-one')
    assert.match(error.hint, /^Try changing 'riders' to one of the following: .*'riders!races_winner_fkey'/)
  },
  'no way': async () => {
    await bad(db.from('riders').select('bike(*)'), 400, {
      code: 'PGRST200', message: "Could not find a relationship between 'riders' and 'bike' in the schema cache", hint: "Perhaps you meant 'bikes' instead of 'bike'.",
      details: "Searched for a foreign key relationship between 'riders' and 'bike' in the schema 'public', but no matches were found.",
    })
    await bad(db.from('bikes').select('riders!nope(*)'), 400, { code: 'PGRST200', hint: null, details: /using the hint 'nope'/ })
  },
  'to itself': async () => {
    assert.deepEqual(await good(db.from('parts').select('label, parts(label)').eq('id', 1).order('id', { referencedTable: 'parts' })),
      [{ label: 'wheel', parts: [{ label: 'rim' }, { label: 'spoke' }] }])
    assert.deepEqual(await good(db.from('parts').select('label, part_of(label, part_of(label))').eq('id', 4)),
      [{ label: 'nipple', part_of: { label: 'spoke', part_of: { label: 'wheel' } } }])
    assert.deepEqual(await good(db.from('parts').select('label, below:parts!part_of(label)').eq('id', 3)), [{ label: 'spoke', below: [{ label: 'nipple' }] }])
  },
  'inner': async () => {
    assert.deepEqual((await good(db.from('riders').select('name, bikes!inner(id)').order('name'))).map((r) => r.name), ['ada', 'bob', 'cyd'])
    const answer = await db.from('bikes').select('id, shops!inner(title)', { count: 'exact' }).eq('shops.city', 'Oslo').order('id')
    assert.deepEqual([answer.data.map((b) => b.id), answer.count], [[1, 3], 2])
    assert.deepEqual(await good(db.from('riders').select('name, bikes!inner(id, shops!inner(title))').eq('bikes.shops.title', 'Spoke')),
      [{ name: 'ada', bikes: [{ id: 2, shops: { title: 'Spoke' } }] }])
  },
  'filters, order and limits within': async () => {
    assert.deepEqual(await good(db.from('riders').select('name, bikes(id)').eq('name', 'ada').gt('bikes.price', 900)), [{ name: 'ada', bikes: [{ id: 1 }] }])
    assert.deepEqual(await good(db.from('riders').select('name, bikes(id)').eq('name', 'ada').order('id', { referencedTable: 'bikes', ascending: false }).limit(1, { referencedTable: 'bikes' })),
      [{ name: 'ada', bikes: [{ id: 2 }] }])
    assert.deepEqual(await good(db.from('riders').select('bikes(id)').eq('name', 'ada').order('id', { referencedTable: 'bikes' }).range(1, 1, { referencedTable: 'bikes' })), [{ bikes: [{ id: 2 }] }])
    assert.deepEqual(await good(db.from('riders').select('bikes(id)').eq('name', 'ada').or('price.gt.900,model.eq.x', { referencedTable: 'bikes' })), [{ bikes: [{ id: 1 }] }])
    await bad(db.from('riders').select('name').eq('bikes.id', 1), 400,
      { code: 'PGRST108', message: "'bikes' is not an embedded resource in this request", hint: "Verify that 'bikes' is included in the 'select' query parameter." })
  },
  'nothing of what is related, at any depth': async () => {
    assert.deepEqual(await good(db.from('clubs').select('name, memberships(riders(licences()))').eq('id', 1)), [{ name: 'night' }])
    assert.deepEqual(await good(db.from('clubs').select('name, memberships!inner(riders!inner(licences(), name))').eq('memberships.riders.name', 'bob')),
      [{ name: 'night', memberships: [{ riders: { name: 'bob' } }] }])
  },
  'with and without something related': async () => {
    assert.deepEqual((await good(db.from('riders').select('name, bikes()').is('bikes', null).order('name'))), [{ name: 'dee' }])
    assert.deepEqual((await good(db.from('riders').select('name, licences()').not('licences', 'is', null).order('name'))), [{ name: 'ada' }, { name: 'bob' }])
    const answer = await db.from('riders').select('name, bikes(), licences()', { count: 'exact' }).or('bikes.is.null,licences.not.is.null').order('name')
    assert.deepEqual([answer.data.map((r) => r.name), answer.count], [['ada', 'bob', 'dee'], 3])
  },
  'order by what is related': async () => {
    assert.deepEqual((await good(db.from('bikes').select('id, shops(city)').order('shops(city)', { nullsFirst: false }).order('id'))).map((b) => b.id), [2, 1, 3, 4])
    await bad(db.from('riders').select('name, bikes(id)').order('bikes(id)'), 400,
      { code: 'PGRST118', details: "'riders' and 'bikes' do not form a many-to-one or one-to-one relationship" })
    await bad(db.from('bikes').select('id').order('shops(city)'), 400, { code: 'PGRST108' })
    assert.deepEqual(await good(db.from('bikes').select('id, ...shops(town:city)').order('shops(town)', { ascending: false, nullsFirst: false }).order('id').limit(2)),
      [{ id: 1, town: 'Oslo' }, { id: 3, town: 'Oslo' }])
    await bad(db.from('bikes').select('id, shops(town:city)').order('shops(city)'), 400, { code: '42703', message: 'column shops.city does not exist' })
  },
  'spread to one': async () => {
    assert.deepEqual(await good(db.from('bikes').select('id, ...riders(owner:name, state)').eq('id', 3)), [{ id: 3, owner: 'bob', state: 'closed' }])
    assert.deepEqual(await good(db.from('bikes').select('id, ...riders(name, ...licences(number))').eq('id', 1)), [{ id: 1, name: 'ada', number: 'L1' }])
    assert.deepEqual(await good(db.from('bikes').select('id, ...shops(*)').eq('id', 4)).then(([b]) => b.title), null)
  },
  'spread to many': async () => {
    assert.deepEqual(await good(db.from('riders').select('name, ...bikes(model, price)').eq('name', 'ada').order('price', { referencedTable: 'bikes' })),
      [{ name: 'ada', model: ['trail', 'road'], price: [800, 1000.5] }])
    assert.deepEqual(await good(db.from('clubs').select('name, ...riders(who:name)').eq('id', 2)), [{ name: 'dawn', who: ['ada'] }])
    assert.deepEqual(await good(db.from('riders').select('name, ...bikes(model)').eq('name', 'ada').order('price', { referencedTable: 'bikes', ascending: false }).limit(1, { referencedTable: 'bikes' })),
      [{ name: 'ada', model: ['road'] }])
    assert.deepEqual(await good(db.from('clubs').select('name, ...riders(who:name, ...bikes(model))').eq('id', 1).order('name', { referencedTable: 'riders' })
      .order('id', { referencedTable: 'riders.bikes' })), [{ name: 'night', who: ['ada', 'bob'], model: [['road', 'trail'], ['city']] }])
  },
  'two dots spread as well': async () =>
    assert.deepEqual((await raw('bikes?select=id,..riders(name)&id=eq.1')).json, [{ id: 1, name: 'ada' }]),
  'how many there are of each': async () => {
    assert.deepEqual(await good(db.from('riders').select('name, bikes(count)').in('name', ['ada', 'dee']).order('name')),
      [{ name: 'ada', bikes: [{ count: 2 }] }, { name: 'dee', bikes: [{ count: 0 }] }])
    assert.deepEqual(await good(db.from('bikes').select('id, shops(many:count)').eq('id', 1)), [{ id: 1, shops: { many: 1 } }])
    assert.deepEqual(await good(db.from('bikes').select('count').eq('rider', 'ada')), [{ count: 2 }])
  },
  'many to many of a table to itself': async () => {
    assert.deepEqual(await good(db.from('riders').select('name, follows:riders!follows_from(name), followers:riders!follows_to(name)').in('name', ['ada', 'cyd']).order('name')),
      [{ name: 'ada', follows: [{ name: 'bob' }, { name: 'cyd' }], followers: [] }, { name: 'cyd', follows: [], followers: [{ name: 'ada' }, { name: 'bob' }] }])
    await bad(db.from('riders').select('riders!follows(name)'), 300, {
      code: 'PGRST201',
      hint: "Try changing 'riders' to one of the following: 'riders!follows_from', 'riders!follows_to'. Find the desired relationship in the 'details' key.",
    })
  },
  'aggregates within and spread': async () => {
    assert.deepEqual(await good(db.from('riders').select('name, bikes(count(), price.sum())').eq('name', 'ada')), [{ name: 'ada', bikes: [{ count: 2, sum: 1800.5 }] }])
    assert.deepEqual((await good(db.from('bikes').select('price.sum(), ...shops(city)'))).find((row) => row.city === 'Oslo'), { sum: 1300.5, city: 'Oslo' })
    assert.deepEqual((await good(db.from('bikes').select('shop_id, ...riders(name.count())'))).find((row) => row.shop_id === 1), { shop_id: 1, count: 2 })
    await bad(db.from('riders').select('...bikes(price.sum())'), 400, { code: 'PGRST127' })
    const counted = await good(db.from('bikes').select('...riders(licences(number), name.count())'))
    assert.deepEqual(counted.sort((a, b) => b.count - a.count || (a.licences === null) - (b.licences === null)),
      [{ licences: { number: 'L1' }, count: 2 }, { licences: { number: 'L2' }, count: 1 }, { licences: null, count: 1 }])
  },
  'through views': async () => {
    assert.deepEqual(await good(db.from('open_riders').select('name, bikes(id)').eq('name', 'cyd')), [{ name: 'cyd', bikes: [{ id: 4 }] }])
    assert.deepEqual(await good(db.from('bike_list').select('bike_id, riders(state)').eq('bike_id', 3)), [{ bike_id: 3, riders: { state: 'closed' } }])
    assert.deepEqual(await good(db.from('list_of_list').select('bike_id, open_riders(name)').order('bike_id').limit(1)), [{ bike_id: 1, open_riders: { name: 'ada' } }])
  },
  'computed relationships': async () => {
    assert.deepEqual(await good(db.from('riders').select('name, bikes_of(id)').eq('name', 'ada')), [{ name: 'ada', bikes_of: [{ id: 1 }, { id: 2 }] }])
    assert.deepEqual(await good(db.from('riders').select('name, dearest(model, shops(title))').in('name', ['ada', 'dee']).order('name')),
      [{ name: 'ada', dearest: { model: 'road', shops: { title: 'Hub' } } }, { name: 'dee', dearest: null }])
  },
  'computed columns within': async () =>
    assert.deepEqual(await good(db.from('bikes').select('id, riders(shout)').eq('id', 1)), [{ id: 1, riders: { shout: 'ADA' } }]),
  'the same one twice': async () =>
    assert.deepEqual(await good(db.from('riders').select('name, cheap:bikes(id), dear:bikes(id)').eq('name', 'ada').lt('cheap.price', 900).gt('dear.price', 900)),
      [{ name: 'ada', cheap: [{ id: 2 }], dear: [{ id: 1 }] }]),
  'the same name twice': async () =>
    bad(db.from('races').select('riders!races_winner_fkey(name), riders!races_loser_fkey(name)'), 400,
      { code: '42712', message: 'table name "races_riders_1" specified more than once' }),
  'a target name where there is an alias': async () =>
    bad(db.from('riders').select('name, cheap:bikes(id)').eq('bikes.id', 1), 400,
      { code: 'PGRST108', hint: "Change 'bikes' to 'cheap' in filters, orders or limits." }),
})
