// The lines of the guide, each with what it shows behind it.
import { assert, client, run, url } from './checks.mjs'

const voxbase = client()
const lines = process.argv[8].split('\n').filter((line) => line.trim())
const Evaluated = (async () => {}).constructor

await run(Object.fromEntries(lines.map((line) => {
  const [, code, shown] = line.match(/^(await .+?) {2,}\/\/ (.+)$/)
  return [code, async () => {
    const answer = await new Evaluated('voxbase', 'url', `return ${code}`)(voxbase, url)
    assert.deepEqual(answer.data ?? answer, await new Evaluated(`return ${shown}`)())
  }]
})))
