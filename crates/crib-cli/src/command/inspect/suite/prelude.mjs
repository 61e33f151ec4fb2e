// Runs before the suite, in its sandbox: every connection takes the one way out, whatever it is meant for.
import http from 'node:http';
import net from 'node:net';

const port = Number(new URL(process.env.HTTP_PROXY).port);
const there = (options) => ({ ...options, host: '127.0.0.1', port, path: undefined, lookup: undefined });
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const [first, ...rest] = args;
  if (Array.isArray(first)) {
    first[0] = there(first[0]);
    return connect.call(this, first);
  }
  const options = typeof first === 'object' ? first : {};
  return connect.call(this, there(options), ...rest.filter((one) => typeof one === 'function'));
};

const headers = JSON.parse(process.env.TOOLCRIB_SUITE_HEADERS ?? '[]');
if (headers.length > 0) {
  const ask = globalThis.fetch;
  globalThis.fetch = (to, options = {}) => {
    const all = new Headers(options.headers);
    for (const [name, value] of headers) all.set(name, value);
    return ask(to, { ...options, headers: all });
  };
  const send = http.request;
  http.request = (options, ...rest) => send({ ...options, headers: { ...Object.fromEntries(headers), ...options.headers } }, ...rest);
}
