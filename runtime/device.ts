/** @module The form of a device in settings. */

export const DEVICE = /^(?:cpu|auto|(?:cuda|tensorrt)(?::(?:\d+|all))?)$/;
export const DEVICE_FORM =
  'cpu, auto, cuda, cuda:N, cuda:all, tensorrt, tensorrt:N or tensorrt:all';
