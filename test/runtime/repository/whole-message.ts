/** @module A message with fields of every kind, for the tests of the formats from which it is read. */
import protobuf from 'protobufjs';

const { root } = protobuf.parse(
  `syntax = "proto3";
  enum Kind { NONE = 0; SOME = 1; }
  message Child { string text = 1; Child child = 2; }
  message Whole {
    string text = 1; bool flag = 2; int32 number = 3; uint64 large = 4; double real = 5; Kind kind = 6;
    repeated int64 dims = 7; repeated Child children = 8; map<string, Child> by_name = 9;
    map<string, string> texts = 10; oneof choice { bool one = 11; string other = 12; } bytes raw = 13;
  }`,
  { keepCase: true },
);
export const wholeMessage = root.lookupType('Whole');
