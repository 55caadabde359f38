import { expect, test } from "vitest";
import { Together } from "./sync";

function group() {
  const together = new Together<number>();
  const told: string[] = [];
  for (const name of ["a", "b", "c"]) together.join(name, { goTo: (place) => told.push(`${name}${place}`) });
  return { together, told };
}

test("whoever is scrolled leads the others", () => {
  const { together, told } = group();
  together.moved("a", 7, 0);
  expect(told).toEqual(["b7", "c7"]);
});

test("the echo of a follower leads nobody, and later it may lead", () => {
  const { together, told } = group();
  together.moved("a", 7, 0);
  together.moved("b", 8, 50);
  expect(told).toEqual(["b7", "c7"]);
  together.moved("b", 9, 500);
  expect(told.slice(2)).toEqual(["a9", "c9"]);
});

test("bodies that are let loose stay where they are", () => {
  const { together, told } = group();
  together.isOn = false;
  together.moved("a", 7, 0);
  expect(told).toEqual([]);
});
