/** Simplified Chinese: workflows as files, where something has to be said that is rarely said: unsaved work, changes on both sides. */

export const files = {
  "recover.title": "未保存的工作",
  "recover.open": "恢复",
  "recover.more": "另外 {count} 项",
  "recover.openOf": "恢复 {name}",
  "recover.discardOf": "放弃 {name}",
  "conflict.none": "双方的更改互不冲突。",
  "conflict.some": "双方都修改了 {count} 处，请选择保留哪一边。",
  "conflict.merge": "合并并保存",
  "conflict.mine": "此处：{value}",
  "conflict.theirs": "别处：{value}",
  "conflict.gone": "已删除",
  "conflict.kept": "保留",
  "conflict.link": "来自 {title}",
  "conflict.place": "位置",
  "recover.discardQuestion": "“{name}”没有保存在别处，放弃后无法找回。",
  "save.gone": "“{name}”已被删除或改名。这里的内容会作为草稿保留，直到重新保存。",
  "save.again": "重新保存",
};
