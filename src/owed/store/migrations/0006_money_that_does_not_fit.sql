-- Money that does not fit: received and unallocated, moved, charged and credited, and put right.

-- Of the allocation, move, charge or credit that a transfer is of.
ALTER TABLE transfer ADD COLUMN document_id text COLLATE "C";
