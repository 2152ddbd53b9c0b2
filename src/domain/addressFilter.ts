/** Which addresses were named, as far as that can be told in two bytes each: never "no" for one that was. */

const bitsPerItem = 16;
const probes = 6;
/** Of a filter that starts empty. */
const smallest = 1 << 12;

export interface AddressFilter {
  /** Additions so far, repeated ones among them. */
  readonly size: number;
  add(address: string): void;
  /** False: it was never added. True: it was, or one in about a thousand others. */
  mayHave(address: string): boolean;
}

interface Layer {
  bits: Uint32Array;
  mask: number;
  capacity: number;
  count: number;
}

const layerFor = (capacity: number): Layer => {
  const size = 2 ** Math.ceil(Math.log2(capacity * bitsPerItem));
  return { bits: new Uint32Array(size / 32), mask: size - 1, capacity, count: 0 };
};

/** A Bloom filter of as many layers as it took, each twice as large as the one before. Addresses end in a hash: two mixes of them suffice. */
export function createAddressFilter(): AddressFilter {
  const layers = [layerFor(smallest)];
  let size = 0;
  let a = 0;
  let b = 0;
  const mix = (text: string): void => {
    a = 0x811c9dc5;
    b = 0x9747b28c;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b ^ unit, 0x5bd1e995);
    }
    a ^= a >>> 15;
    b = (b ^ (b >>> 13)) | 1;
  };
  const inLayer = ({ bits, mask }: Layer): boolean => {
    for (let n = 0, bit = a; n < probes; n++, bit = (bit + b) | 0) {
      const at = bit & mask;
      if (((bits[at >>> 5] as number) & (1 << (at & 31))) === 0) return false;
    }
    return true;
  };
  return {
    get size() {
      return size;
    },
    add(address) {
      mix(address);
      size += 1;
      const last = layers[layers.length - 1] as Layer;
      const layer = last.count < last.capacity ? last : layerFor(2 * last.capacity);
      if (layer !== last) layers.push(layer);
      layer.count += 1;
      for (let n = 0, bit = a; n < probes; n++, bit = (bit + b) | 0) {
        const at = bit & layer.mask;
        layer.bits[at >>> 5] = (layer.bits[at >>> 5] as number) | (1 << (at & 31));
      }
    },
    mayHave(address) {
      if (size === 0) return false;
      mix(address);
      return layers.some(inLayer);
    },
  };
}
