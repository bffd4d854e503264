// Voxbase's own tables, as supabase-js finds them: nothing but the address is chosen.
import { anonKey, assert, bad, client, good, run, url, userToken } from './checks.mjs'
import { createClient } from '@supabase/supabase-js'

const me = createClient(url, anonKey, { accessToken: async () => userToken })

await run({
  'own conversations with their turns': async () => {
    const [conversation] = await good(me.from('conversations').select('id, status, turns(role, raw_text)').order('started_at', { ascending: false }).limit(1))
    assert.deepEqual([conversation.status, conversation.turns], ['active', [{ role: 'user', raw_text: 'hello' }]])
  },
  'a conversation is started and changed': async () => {
    const made = await good(me.from('conversations').insert({ kind: 'call', user_id: JSON.parse(atob(userToken.split('.')[1])).sub }).select('id').single(), 201)
    assert.deepEqual(await good(me.from('conversations').update({ name: 'Mine' }).eq('id', made.id).select('name').single()), { name: 'Mine' })
    assert.equal((await me.from('conversations').select('*', { count: 'exact', head: true })).count, 2)
  },
  'by name of the schema': async () => assert.equal((await good(me.schema('vox').from('conversations').select('id'))).length, 2),
  'nobody sees nothing': async () => bad(client().from('conversations').select(), 401, { code: '42501' }),
})
