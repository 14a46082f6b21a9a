// The sphere on a plane (Mercator): the world is a square with sides of 1.

const AROUND = 40075016.7; // metres along the equator
const FURTHEST = 85.05; // degrees of latitude that fit in the square

/** Latitude and longitude in degrees to x and y, from 0 to 1. */
export const toPlane = (latitude, longitude) => {
  const held = Math.min(Math.max(latitude, -FURTHEST), FURTHEST);
  const y = Math.log(Math.tan(Math.PI / 4 + (held * Math.PI) / 360)) / (2 * Math.PI);
  return [longitude / 360 + 0.5, 0.5 - y];
};

/** The reverse. */
export const toSphere = (x, y) => [
  (Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) * 360) / Math.PI - 90,
  (x - 0.5) * 360,
];

/** Metres of a unit of the plane at a y. */
export const metresAt = (y) => AROUND * Math.cos((toSphere(0, y)[0] * Math.PI) / 180);

/** Of 1, 2 and 5 times a power of ten the largest that is no more than a value. */
export const round = (value) => {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [5, 2, 1].find((k) => k * power <= value);
};
