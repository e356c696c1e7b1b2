/** The face for programs that show the page without running a server. Loads neither database nor models. */
export { loopbackFront } from './http/loopback-front.ts';
