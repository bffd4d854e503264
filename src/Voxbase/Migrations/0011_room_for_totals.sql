-- The calls of the moment stand on the same pages, and one append changes all of them: with half of each page free every new version finds
-- room beside the old one. Else it goes to another page and into every index, and reads step over the dead entries until the next vacuum.
alter table vox.conversations set (fillfactor = 50);
