import { idSchema } from '@tendon/protocol';
import type { Hono } from 'hono';
import type { Device } from '../auth/devices.ts';
import { type DoorAndAuth, fault, type HttpEnv, identify, noted } from './answers.ts';

/** `/api/devices`: the browsers that are signed in as the person who asks. */
export function addDeviceRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { auth } = parts;
  app.get('/api/devices', async (context) => {
    const principal = await identify(context, parts, 'manage');
    if (principal instanceof Response) return principal;
    const devices = await auth.devices.list(principal.userId);
    return context.json({ devices: devices.map((device) => shownDevice(device, principal.credentialId)) });
  });

  app.delete('/api/devices/:id', async (context) => {
    const principal = await identify(context, parts, 'manage');
    if (principal instanceof Response) return principal;
    const id = idSchema.safeParse(context.req.param('id'));
    if (!id.success || !(await auth.devices.end(principal.userId, id.data)))
      return fault(context, 404, { code: 'not_found', message: 'There is no signed-in device with this id.' });
    await noted(context, parts, { principal, action: 'device_signed_out', about: id.data });
    return context.json({ ok: true });
  });

  app.post('/api/devices/sign-out-others', async (context) => {
    const principal = await identify(context, parts, 'manage');
    if (principal instanceof Response) return principal;
    const kept = principal.path === 'cookie' ? principal.credentialId : undefined;
    const ended = await auth.devices.endOthers(principal.userId, kept);
    await noted(context, parts, { principal, action: 'device_signed_out', about: `all others (${ended})` });
    return context.json({ ended });
  });
}

function shownDevice(device: Device, credentialId: string) {
  return { ...device, isCurrent: device.id === credentialId };
}
