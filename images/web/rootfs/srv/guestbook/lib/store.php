<?php
// The guest book's whole storage: one table and one folder. Both come from /etc/lab/guestbook.ini: in a cluster with a
// database and a shared filesystem they are there, in a smaller one on this node.
declare(strict_types=1);

final class Store
{
    private const IMAGES = ['image/png' => 'png', 'image/jpeg' => 'jpg', 'image/gif' => 'gif', 'image/webp' => 'webp'];
    private const PATIENCE = 10.0; // seconds for which a statement that was certainly not done is tried again
    private const PAUSE = 200_000; // microseconds between two tries
    // What MariaDB says instead of doing something: not connected (2002, 2003), closed to writers (1290), shut down (1053).
    private const NOT_DONE = [2002, 2003, 1290, 1053];
    private const NO_SUCH_TABLE = ['42S02', 'HY000'];
    private const PIXELS = 50_000_000; // of a picture; a browser holds four bytes of each
    private const TABLE = 'CREATE TABLE IF NOT EXISTS posts (id VARCHAR(32) PRIMARY KEY, at DOUBLE PRECISION NOT NULL,
        author VARCHAR(80) NOT NULL, message TEXT NOT NULL, upload VARCHAR(80), node VARCHAR(63) NOT NULL)';

    public function __construct(private array $settings)
    {
    }

    /** A statement's result. While the database changes its primary a visitor waits, as long as nothing can be done twice. */
    private function run(string $statement, array $values): PDOStatement
    {
        $deadline = microtime(true) + self::PATIENCE;
        while (true) {
            try {
                return $this->once($statement, $values);
            } catch (PDOException $error) {
                $code = $error->errorInfo[1] ?? $error->getCode();
                if (!in_array((int) $code, self::NOT_DONE, true) || microtime(true) > $deadline) {
                    throw $error;
                }
                usleep(self::PAUSE);
            }
        }
    }

    private function once(string $statement, array $values): PDOStatement
    {
        $db = new PDO($this->settings['dsn'], $this->settings['user'] ?? null, getenv('GUESTBOOK_PASSWORD') ?: null, [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_TIMEOUT => 5,
        ] + $this->encrypted());
        try {
            $query = $db->prepare($statement);
            $query->execute($values);
        } catch (PDOException $error) {
            if (!in_array($error->getCode(), self::NO_SUCH_TABLE, true) || !$this->lacksTable($error)) {
                throw $error;
            }
            $db->exec(self::TABLE); // the first visitor of all
            $query = $db->prepare($statement);
            $query->execute($values);
        }
        return $query;
    }

    /** The database is spoken to by TLS, and has the certificate of the cluster's CA for the name that it is asked by. */
    private function encrypted(): array
    {
        return isset($this->settings['authority']) ? [
            PDO::MYSQL_ATTR_SSL_CA => $this->settings['authority'],
            PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true,
        ] : [];
    }

    private function lacksTable(PDOException $error): bool
    {
        return $error->getCode() === '42S02' || str_contains($error->getMessage(), 'no such table');
    }

    /** The newest posts first, each as id, at (Unix seconds), author, message, upload (a name or null) and node. */
    public function newest(int $count = 50): array
    {
        $select = 'SELECT id, at, author, message, upload, node FROM posts ORDER BY at DESC LIMIT ' . $count;
        return $this->run($select, [])->fetchAll(PDO::FETCH_ASSOC);
    }

    /** All that one author wrote, the oldest first, each as id, message and upload. */
    public function by(string $author): array
    {
        $select = 'SELECT id, message, upload FROM posts WHERE author = ? ORDER BY at';
        return $this->run($select, [$author])->fetchAll(PDO::FETCH_ASSOC);
    }

    /** Keeps a post and returns its id. $file is an entry of $_FILES or null; throws Refused. */
    public function add(string $author, string $message, ?array $file): string
    {
        $author = trim($author) ?: 'somebody';
        if (trim($message) === '' || strlen($message) > 4000 || strlen($author) > 80) {
            throw new Refused('a message has 1 to 4000 bytes, a name at most 80 bytes', 400);
        }
        $upload = $file === null ? null : $this->keep($file);
        $id = bin2hex(random_bytes(16));
        $row = [$id, microtime(true), $author, $message, $upload, $this->settings['node']];
        $this->run('INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?)', $row);
        return $id;
    }

    /** Named by content: the same picture is kept once, and a name that a visitor chose never reaches the disk. */
    private function keep(array $file): string
    {
        $seen = getimagesize($file['tmp_name']) ?: [0, 0, 'mime' => ''];
        [$width, $height] = $seen;
        $type = $seen['mime'];
        if (!isset(self::IMAGES[$type])) {
            throw new Refused("an upload is a PNG, JPEG, GIF or WebP of at most {$this->settings['largest']} MiB", 400);
        }
        if ($width < 1 || $height < 1 || $width * $height > self::PIXELS) {
            throw new Refused('a picture has at most 50 million pixels', 400);
        }
        $name = hash_file('sha256', $file['tmp_name']) . '.' . self::IMAGES[$type];
        $folder = $this->settings['uploads'];
        if (!is_dir($folder)) {
            mkdir($folder, 0750, true);
        }
        // On the disk before it has its name: who sees the name sees all of the picture.
        $draft = "$folder/." . bin2hex(random_bytes(8));
        $out = fopen($draft, 'xb');
        $kept = $out && copy($file['tmp_name'], $draft) && fsync($out) && rename($draft, "$folder/$name");
        if (!$kept) {
            throw new RuntimeException('the upload could not be kept');
        }
        return $name;
    }
}
