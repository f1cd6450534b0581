<?php
/** The guest book's one page. Expects $settings and $posts. */
// Without shared storage the node that is asked for a picture may be another than the one that has it.
$picture = static fn (string $name): string => $settings['shared'] ? "/uploads/$name"
    : 'data:;base64,' . base64_encode((string) file_get_contents("{$settings['uploads']}/$name"));
$safe = static fn (string $text): string => htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE);
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Guest book</title>
<link rel="stylesheet" href="/style.css">
<h1>Guest book</h1>
<p>This page was served by <strong class="node"><?= $safe($settings['node']) ?></strong>. Reload it, and another node may answer.
<?php if (!$settings['shared']): ?>
  <br><small>Without a database and shared storage each node keeps its own posts or pictures.</small>
<?php endif ?></p>
<form method="post" enctype="multipart/form-data">
  <label>Name <input name="author" maxlength="80" autocomplete="name"></label>
  <label>Message <textarea name="message" rows="3" maxlength="4000" required></textarea></label>
  <label>Picture <input type="file" name="upload" accept="image/png,image/jpeg,image/gif,image/webp"></label>
  <button>Sign</button>
</form>
<?php foreach ($posts as $post): ?>
<article>
  <strong><?= $safe($post['author']) ?></strong>
  <small><?= gmdate('Y-m-d H:i:s', (int) $post['at']) ?> UTC, kept by <?= $safe($post['node']) ?></small>
  <p><?= $safe($post['message']) ?></p>
  <?php if ($post['upload']): ?><img src="<?= $safe($picture($post['upload'])) ?>" alt="picture left by <?= $safe($post['author']) ?>"><?php endif ?>
</article>
<?php endforeach ?>
</html>
