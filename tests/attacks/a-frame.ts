/** A picture of a browser as a machine sends it, without a session. */
export const aFrame = {
  at: '2026-11-22T10:00:00.000Z',
  url: 'https://example.org/',
  title: 'A page',
  width: 1280,
  height: 800,
  image: '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//2Q==',
};
