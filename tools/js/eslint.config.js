// What eslint looks for in the annotator's scripts: mistakes, not style. Types are tsc's (tsconfig.json).

import js from "@eslint/js";
import globals from "globals";
import ts from "typescript-eslint";

const PAGE = "src/vtmr/app/static/js/**/*.js";

export default [
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  { ...js.configs.recommended, files: ["**/*.js"] },
  {
    files: ["**/*.js"],
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: globals.browser },
    rules: {
      "array-callback-return": "error",
      eqeqeq: "error",
      "max-len": ["error", { code: 120 }],
      "no-promise-executor-return": "error",
      "no-self-compare": "error",
      "no-shadow": "error",
      "no-template-curly-in-string": "error",
      "no-unmodified-loop-condition": "error",
      "no-unreachable-loop": "error",
      "no-unused-expressions": "error",
      "no-unused-vars": "error",
      "no-use-before-define": ["error", { functions: false, variables: false }],
      "no-useless-assignment": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "require-await": "error",
    },
  },
  {
    files: [PAGE],
    plugins: { "@typescript-eslint": ts.plugin },
    languageOptions: { parser: ts.parser, parserOptions: { project: "tools/js/tsconfig.json" } },
    rules: {
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: false }],
    },
  },
  {
    files: ["tests/**/*.js"], // each is one function, which the tests hand to the browser
    rules: { "no-unused-expressions": "off" },
  },
];
