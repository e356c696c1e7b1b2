import { createServer } from 'node:http';
import { Server, type Socket } from 'socket.io';

/**
 * The floor: the same stream relayed by bare Socket.IO, with no database, no validation and no agent. Run as a process of its own with
 * the model's address; prints its port.
 */
const modelUrl = process.argv[2] ?? '';
const http = createServer();
const io = new Server(http, { perMessageDeflate: false, serveClient: false });
let gateway: Socket | undefined;

// For whoever only wants to be let in, and answered.
io.of('/agent').on('connection', (socket) => {
  socket.on('session:detach', (_payload: unknown, acknowledge: (answer: object) => void) => acknowledge({ ok: true, data: {} }));
});
io.on('connection', (socket) => {
  if (socket.handshake.auth['gateway'] === true) gateway = socket;
  socket.on('prompt', (text: string, acknowledge: () => void) => {
    acknowledge();
    void relay(text, socket).then(() => socket.emit('done'));
  });
  socket.on('tool', async (acknowledge: () => void) => {
    acknowledge();
    await relay('tool', socket);
    await socket.emitWithAck('approve');
    await gateway?.emitWithAck('call');
    await relay('after', socket);
    socket.emit('done');
  });
});

async function relay(text: string, socket: Socket): Promise<void> {
  const body = JSON.stringify({ model: 'scripted', stream: true, messages: [{ role: 'user', content: text }] });
  const response = await fetch(`${modelUrl}/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue;
      const content = JSON.parse(line.slice(6)).choices?.[0]?.delta?.content;
      if (typeof content === 'string' && content !== '') socket.emit('delta', { text: content });
    }
  }
}

http.listen(0, '127.0.0.1', () => {
  const address = http.address();
  if (typeof address === 'object' && address !== null) process.stdout.write(`${address.port}\n`);
});
