// Does with LiveKit's official SDK what the lines on standard input ask, and answers each with a line of JSON.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { AccessToken, EgressClient, RoomServiceClient, TokenVerifier, WebhookReceiver } from 'livekit-server-sdk';

const plain = (value) => JSON.parse(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? v.toString() : v)));

const verbs = {
  verify: ({ key, secret, token }) => new TokenVerifier(key, secret).verify(token),
  receive: ({ key, secret, body, token }) => new WebhookReceiver(key, secret).receive(body, token),
  mint: async ({ key, secret, options, video, observability }) => {
    const token = new AccessToken(key, secret, options);
    if (video) token.addGrant(video);
    if (observability) token.addObservabilityGrant(observability);
    return token.toJwt();
  },
  // As LiveKit's own notifier signs: the hash of the body in a token of five minutes.
  webhook: async ({ key, secret, url, body }) => {
    const token = new AccessToken(key, secret, { ttl: 300 });
    token.sha256 = createHash('sha256').update(body).digest('base64');
    const answer = await fetch(url, {
      method: 'POST',
      headers: { Authorization: await token.toJwt(), 'Content-Type': 'application/webhook+json', 'User-Agent': 'LiveKit' },
      body,
    });
    return { status: answer.status, body: await answer.json() };
  },
  rooms: async ({ key, secret, url, verb, args }) => new RoomServiceClient(url, key, secret)[verb](...args),
  egress: async ({ key, secret, url, verb, args }) => new EgressClient(url, key, secret)[verb](...args),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, ...args } = JSON.parse(line);
  try {
    const result = await verbs[verb](verb === 'rooms' || verb === 'egress' ? { ...args, verb: args.method } : args);
    console.log(JSON.stringify({ result: plain(result ?? null) }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
