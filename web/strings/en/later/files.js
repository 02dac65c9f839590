/** English: workflows as files, where something has to be said that is rarely said: unsaved work, changes on both sides. */

export const files = {
  "recover.title": "Unsaved work",
  "recover.open": "Recover",
  "recover.more": "{count} more",
  "recover.openOf": "Recover {name}",
  "recover.discardOf": "Discard {name}",
  "conflict.none": "Your changes and theirs fit together.",
  "conflict.some": "Changed on both sides: {count}. Choose what stays.",
  "conflict.merge": "Merge and save",
  "conflict.mine": "Here: {value}",
  "conflict.theirs": "There: {value}",
  "conflict.gone": "taken away",
  "conflict.kept": "kept",
  "conflict.link": "from {title}",
  "conflict.place": "place",
  "recover.discardQuestion": "{name} is saved nowhere else. Once discarded it cannot be brought back.",
  "save.gone": "{name} was deleted, or goes by another name now. What is here is kept as a draft until it is saved.",
  "save.again": "Save it again",
};
