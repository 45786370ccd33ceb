// The types of what calls are given: texts, questions, continuations, choices, and examples of every task.

/** One text, or a pair of texts (token types 0 and 1). */
export interface TextInput {
  text: string;
  textPair?: string;
}

/** A text or pair with its label. */
export interface Example extends TextInput {
  /** One of the model's labels. */
  label: string;
}

/** Words of a text with a label for each, for `token-classification`. */
export interface TaggedExample {
  words: readonly string[];
  /** One of the model's labels for each word. */
  labels: readonly string[];
}

/** A question about a text, for `question-answering`. */
export interface Question {
  question: string;
  context: string;
}

/** A question with its answer, a part of the context. */
export interface AnsweredExample extends Question {
  answer: string;
  /** Where the answer starts in the context, as `indexOf` counts. Default: where it first occurs. */
  answerStart?: number;
}

/** How a text goes on, for `text-generation`: the loss is that of the completion alone, and of the token that ends it. */
export interface CompletedExample {
  prompt: string;
  /** Tokenised by itself: where a space belongs between prompt and completion, the completion begins with it. */
  completion: string;
}

/** A text whose every token is learned, for `text-generation`. */
export interface PlainExample {
  text: string;
}

/** One turn of a conversation. These and further fields go to the chat template as they are. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or another that the model's template knows. */
  role: string;
  /** `null` where the turn has none, but for instance calls of tools. */
  content: string | null;
  name?: string;
  tool_calls?: readonly unknown[];
  tool_call_id?: string;
  /** What a thinking model thought; `thinking` and `reasoning` are other names for it, as in transformers. */
  reasoning_content?: string;
}

/**
 * A conversation, for `text-generation`: the loss is that of the assistant's turns. The model's chat template writes it, special tokens
 * included. A conversation of more than `maxLength` tokens loses tokens from its start.
 */
export interface ChatExample {
  messages: readonly ChatMessage[];
}

/** What a language model goes on from: a text, or for `text-generation` a conversation in which it is the assistant's turn. */
export type Prompt = string | readonly ChatMessage[];

/** What a text becomes, for `text2text-generation`. */
export interface RewrittenExample {
  input: string;
  output: string;
}

/** An input, the choices that might answer it and the one that does, for language models: trained with `objective: "t-few"`. */
export interface RankedExample {
  input: Prompt;
  /** Two at least. Tokenised by themselves: where a space belongs between input and choice, the choice begins with it. */
  choices: readonly string[];
  /** One of the choices. */
  answer: string;
}

/** How a labelled text is put to a language model. */
export interface PromptTemplate {
  /** `{{text}}` and `{{textPair}}` stand for the text and the second text of a pair. */
  prompt: string;
  /** What may follow the prompt, by label: `{ spam: " yes", ham: " no" }`. */
  choices: Readonly<Record<string, string>>;
}

/** A labelled text with templates that make an input and choices of it; each step of training draws one, evaluation takes the first. */
export interface PromptedExample extends TextInput {
  /** A label of every template. */
  label: string;
  templates: readonly PromptTemplate[];
}

/** An input and the choices that might answer it, or a text in a template whose labels are chosen from: for `choose`. */
export type Ranking = { input: Prompt; choices: readonly string[] } | (TextInput & { template: PromptTemplate });

/** A text and what might follow it (or, of an encoder-decoder model, what it might become), for `score`. */
export interface Continuation {
  /** May be an empty text. */
  prompt: Prompt;
  /** Tokenised by itself, as a completion is. */
  continuation: string;
}

/** An example of the model's task. */
export type AnyExample =
  | Example
  | TaggedExample
  | AnsweredExample
  | CompletedExample
  | PlainExample
  | ChatExample
  | RewrittenExample
  | RankedExample
  | PromptedExample;

/** What `classify` and `embed` accept: one text, or a list of texts and pairs. */
export type Inputs = string | TextInput | readonly (string | TextInput)[];
